/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/pipeline/file/load.test.ts > TAP > --set: a part that is not there has no options, and a name is taken out with what it names > must match snapshot 1`] = `
SET_PATH: --set sink.images.path=x: \`--set\` must name an option as path=value; got \`images.path\` below \`sink\`, which the pipeline has not. Write \`sink\` in the file.
SET_PATH: --set evaluate.source.image-folder.path=x: \`--set\` must name an option as path=value; got \`image-folder.path\` below \`evaluate.source\`, which the pipeline has not. Write \`evaluate.source\` in the file.
SET_PATH: --set stages.3.windows=null: \`--set\` must name an option as path=value; got \`stages.3.windows\` as an option. \`stages.3=null\` takes \`windows\` out.
OPTION_MISSING: p.yaml:14:89: \`on\` must be given: a folder or a source; got nothing. Add it to reconstruction, or \`source\` to evaluate.
`

exports[`test/pipeline/file/load.test.ts > TAP > --set: a pipeline must keep its source, its stages, and one end > must match snapshot 1`] = `
SET_PATH: --set source=null: \`--set\` must name an option as path=value; got \`source\` as a whole. Set one of its options: \`source.option=value\`.
SET_PATH: --set stages=null: \`--set\` must name an option as path=value; got \`stages\` as a whole. Set one of its options: \`stages.name.option=value\`.
SET_PATH: --set stages.mask={}: \`--set\` must name an option as path=value; got the stage \`mask\` as a whole. Set one of its options: \`stages.mask.option=value\`. \`stages.mask=null\` takes it out.
SET_PATH: --set train={}: \`--set\` must name an option as path=value; got \`train\` as a whole. Set one of its options: \`train.option=value\`. \`train=null\` takes it out.
PIPELINE_ENDS: p.yaml:2:1: a pipeline must end in either \`train\` or \`sink\`; got neither. Add \`sink: images\`, or a section \`train\`.
`

exports[`test/pipeline/file/load.test.ts > TAP > --set: what it refuses, and the place of what it breaks > must match snapshot 1`] = `
SET_PATH: --set trian.epochs=1: \`--set\` must name an option as path=value; got \`trian\`. Did you mean \`train\`?
SET_PATH: --set epochs: \`--set\` must name an option as path=value; got 'epochs'. Write it as \`--set train.epochs=1\`.
SET_PATH: --set stages.masc.ratio=1: \`--set\` must name an option as path=value; got \`masc\` in \`stages\`. Did you mean \`mask\`?
SET_PATH: --set stages.9.ratio=1: \`--set\` must name an option as path=value; got \`9\` in \`stages\`. It has 0 to 3, decode, resize, windows, mask.
SET_PATH: --set stages=[]: \`--set\` must name an option as path=value; got \`stages\` as a whole. Set one of its options: \`stages.name.option=value\`.
SET_PATH: --set train.model={lomar: tiny}: \`--set\` must name an option as path=value; got \`train.model\` as a whole. Set one of its options: \`train.model.option=value\`.
SET_PATH: --set evaluate.knn.stages=[{resize: 8}]: \`--set\` must name an option as path=value; got \`evaluate.knn.stages\` as a whole. Set one of its options: \`evaluate.knn.stages.option=value\`.
SET_PATH: --set train.batch.size=3: \`--set\` must name an option as path=value; got \`size\` below \`train.batch\`, which is no map. Set \`train.batch\` itself.
SET_PATH: --set __proto__.x=1: \`--set\` must name an option as path=value; got \`__proto__\`. It may begin with source, stages, sink, train, evaluate, track, name, seed, output, permits, threads, reads, cells.
SET_PATH: --set train.__proto__.x=1: \`--set\` must name an option as path=value; got \`__proto__\`. Name an option.
SET_PATH: --set seed=[1: \`--set\` must name an option as path=value; got '[1'. The value must be YAML: Flow sequence must end with a ]. Quote it.
OPTION_UNKNOWN: --set stages.mask.ratoi=1, stage mask: stage mask has no option \`ratoi\`. Did you mean \`ratio\`?
OPTION_VALUE: --set stages.mask.ratio=2, stage mask: \`ratio\` must be a number from 0 to 1; got 2. Share of patches that are hidden.
`

exports[`test/pipeline/file/load.test.ts > TAP > a pipeline in TypeScript > must match snapshot 1`] = `
PIPELINE_ENDS: bad.ts: pipeline: a pipeline must end in either \`train\` or \`sink\`; got neither. Add \`sink: images\`, or a section \`train\`.
OPTION_VALUE: bad.ts: stages[2] windows: \`patch\` must be a divisor of the picture's side, 64 px; got 15. Try 8.
`

exports[`test/pipeline/file/load.test.ts > TAP > environment: substituted, defaulted, missing, and never shown > must match snapshot 1`] = `
ENVIRONMENT_MISSING: p.yaml:7:20: the environment variable RATIO must be set; got nothing. Set it, or write a default: \`\${RATIO:-default}\`.
`

exports[`test/pipeline/file/load.test.ts > TAP > extends: a circle, and a base that is missing > must match snapshot 1`] = `
EXTENDS_CIRCLE: q.yaml:1:10: \`extends\` must end at a file that extends nothing; got a circle, p.yaml → q.yaml → p.yaml. Take one link out.
`

exports[`test/pipeline/file/load.test.ts > TAP > extends: merged deep, lists replaced, places in the right file, paths from the file they stand in > must match snapshot 1`] = `
OPTION_VALUE: bases/base.yaml:13:7: \`seed\` must be an integer from 0 to 4294967295; got 'x'. The seed of all chance.
OPTION_VALUE: p.yaml:3:17: \`batch\` must be an integer from 1 to 1048576; got 0. Samples per optimizer step. Part of the method: it never changes by itself.
`
