/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/pipeline/resolve/evaluate.test.ts > TAP > check: measures that cannot be > must match snapshot 1`] = `
OPTION_MISSING: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:18: \`on\` must be given: a folder or a source; got nothing. Add it to knn, or \`source\` to evaluate.
---
LABELS_MISSING: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:13: knn needs pictures with labels; the source image-folder gives bytes. Give it its labels (\`labels: true\` for a folder of a folder per class, the file of \`labels\` for idx), or name another source.
---
LABELS_MISSING: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:45: knn needs pictures with labels; the source image-folder gives bytes. Give it its labels (\`labels: true\` for a folder of a folder per class, the file of \`labels\` for idx), or name another source.
---
KNN_FEW: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:23: \`k\` must be at most the number of pictures that vote, 2; got 3. Lower \`k\`, or raise the number of reference pictures (\`limit.reference\`).
---
EVALUATE_RANDOM: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:78: knn is measured on pictures that do not change at random; random-resized-crop changes them. Write \`resize\` in its place.
EVALUATE_RANDOM: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:78: knn is measured on pictures that do not change at random; random-flip changes them. Leave it out.
---
EVALUATE_SHAPE: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:78: a model is evaluated on what it was trained on, pictures of 16×16 px; got pictures of 8×8 px. Give \`evaluate\` the same \`patch\` and \`size\`, or leave its stages out.
---
OPTION_ONE_OF: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:117: exactly one of steps and epochs must be given; got several. Take one out; over a file it is \`--set evaluate.every.steps=null\`.
OPTION_VALUE: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:135: \`at[0]\` must be start or end; got 'middle'. Change it.
---
OPTION_UNKNOWN: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:26: a measure has no option \`knm\`. Did you mean \`knn\`?
OPTION_MISSING: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:44: \`on\` must be given: a folder or a source; got nothing. Add it to knn, or \`source\` to evaluate.
OPTION_ONE_OF: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:48: exactly one of reconstruction, knn, linear, classify, scales, codebook and masked-codes must be given; got several. Take one out; over a file it is \`--set evaluate.measures.1.knn=null\`.
OPTION_MISSING: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:56: \`on\` must be given: a folder or a source; got nothing. Add it to linear, or \`source\` to evaluate.
OPTION_VALUE: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:62: \`evaluate.measures.2\` must be a map; got 3. Write \`knn: { k: 20 }\`.
---
EVALUATE_TWICE: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:57: reconstruction is measured on one set of pictures; got 2. Take all but one out.
---
OPTION_UNKNOWN: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:38: reconstruction has no option \`reference\`. It knows baseline, pictures, limit, on, stages.
---
OPTION_ONE_OF: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:96: exactly one of measures and linear must be given; got several. Take one out; over a file it is \`--set evaluate.measures=null\`.
---
OPTION_ONE_OF: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:1: exactly one of measures, reconstruction, knn, linear, classify, scales, codebook and masked-codes must be given; got none. Add one.
---
FIELD_MISSING: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:13: stage decode must get samples with \`bytes\`; got picture, label. Put a stage that gives it before it.
OPTION_UNKNOWN: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:59: knn has no option \`kk\`. Did you mean \`k\`?
---
NAME_UNKNOWN: .tap/fixtures/test-pipeline-resolve-evaluate.test.ts-check-measures-that-cannot-be/tiny.yaml:20:26: a source must be one that is registered; got \`idz\`. Did you mean \`idx\`?
`
