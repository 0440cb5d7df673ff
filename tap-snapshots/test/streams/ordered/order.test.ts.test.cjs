/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/streams/ordered/order.test.ts > TAP > VECTOR: count 10, seed 7, epochs 0 and 1 > must match snapshot 1`] = `
4 8 9 0 1 5 3 6 7 2 2 9 7 8 3 1 6 4 5 0
`
