/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/runs/loader/define.test.ts > TAP > all problems as one error > must match snapshot 1`] = `
PIPELINE_PROBLEMS: a pipeline must have no problems; got 3: PIPELINE_ENDS: pipeline: a pipeline must end in either \`train\` or \`sink\`; got neither. Add \`sink: images\`, or a section \`train\`. | OPTION_VALUE: stages[1] resize: \`size\` must be an integer from 1 to 4096; got 0. Side in pixels. | OPTION_VALUE: stages[2] mask: \`ratio\` must be a number from 0 to 1; got 2. Share of patches that are hidden. Fix them; \`patchstream check\` shows those of a file with their lines.
`
