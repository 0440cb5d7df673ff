/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/vision/render/sampling.test.ts > TAP > the same key draws the same > must match snapshot 1`] = `
Object {
  "crop": Object {
    "height": 371,
    "left": 8,
    "top": 1,
    "width": 287,
  },
  "masks": "010101101111110000",
  "windows": Array [
    3,
    1,
    2,
    2,
  ],
}
`
