/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/pipeline/check.test.ts > TAP > a missing field names the stage that gives it > must match snapshot 1`] = `
FIELD_MISSING: p.yaml:5:5, stage resize: stage resize must get samples with \`picture\`; got bytes. Put \`decode\` before it.
FIELD_MISSING: p.yaml:5:5, stage resize: stage resize must get samples with \`picture\`; got bytes. Put \`decode\` before it.
FIELD_MISSING: p.yaml:9:12, model lomar: model lomar must get samples with \`masks\`; got bytes, picture, windows. Add \`mask\` to the stages.
`

exports[`test/pipeline/check.test.ts > TAP > five mistakes in one file give five problems with their lines > must match snapshot 1`] = `
OPTION_UNKNOWN: p.yaml:2:43: source image-folder has no option \`repaet\`. Did you mean \`repeat\`?
NAME_UNKNOWN: p.yaml:5:5: a stage must be one that is registered; got \`resise\`. Did you mean \`resize\`?
OPTION_VALUE: p.yaml:6:32, stage windows: \`size\` must be an integer from 1; got 0. Patches along a side of a window.
OPTION_VALUE: p.yaml:7:20, stage mask: \`ratio\` must be a number from 0 to 1; got 1.5. Share of patches that are hidden.
OPTION_VALUE: p.yaml:10:10: \`batch\` must be an integer from 1 to 1048576; got 'many'. Samples per optimizer step. Part of the method: it never changes by itself.
`

exports[`test/pipeline/check.test.ts > TAP > rules of train > must match snapshot 1`] = `
OPTION_ONE_OF: p.yaml:13:3: exactly one of steps and epochs must be given; got several. Take one out; over a file it is \`--set train.steps=null\`.
---
OPTION_ONE_OF: p.yaml:9:1: exactly one of steps and epochs must be given; got none. Add one.
---
OPTION_ONE_OF: p.yaml:13:32: exactly one of lr and baseLr must be given; got several. Take one out; over a file it is \`--set train.optimizer.adamw.lr=null\`.
OPTION_ONE_OF: p.yaml:14:27: exactly one of cosine and constant must be given; got several. Take one out; over a file it is \`--set train.schedule.cosine=null\`.
---
MICRO_BATCH: p.yaml:13:15: \`microBatch\` must divide \`batch\`, 32; got 5. Try 4 or 8.
OPTION_ONE_OF: p.yaml:14:32: exactly one of everySteps and everyEpochs must be given; got several. Take one out; over a file it is \`--set train.checkpoint.everySteps=null\`.
`

exports[`test/pipeline/check.test.ts > TAP > shapes are checked along the chain, and a mistake is told once > must match snapshot 1`] = `
OPTION_VALUE: p.yaml:7:23, stage windows: \`patch\` must be a divisor of the picture's side, 64 px; got 15. Try 8.
`

exports[`test/pipeline/check.test.ts > TAP > stages: entries that are none, ids, policies > must match snapshot 1`] = `
NAME_ENTRY: p.yaml:6:5: a stage must be a name, or a map with one name and its options; got 3. Write \`name\` or \`name: { option: value }\`.
---
NAME_ENTRY: p.yaml:5:5: a stage must be a name, or a map with one name and its options; got a map of decode, concurrency. Indent the options further than the name: \`decode: { … }\`.
---
STAGE_ID_TWICE: p.yaml:6:19, stage a: the ids of stages must differ; got \`a\` twice. Give one of the two an \`id\` of its own.
---
OPTION_UNKNOWN: p.yaml:5:15, stage decode: stage decode has no option \`concurency\`. Did you mean \`concurrency\`?
OPTION_VALUE: p.yaml:5:39, stage decode: \`timeout\` must be a number above 0 to 86400; got -1. Seconds until a sample in the stage counts as failed. Default 60.
OPTION_VALUE: p.yaml:5:56, stage decode: \`maxFailures\` must be a number from 0, or a share such as 5%; got 'lots'. How many samples may fail: a number, or a share, judged after the first hundred. Default 5%.
---

`
