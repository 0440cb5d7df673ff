import t from 'tap';
import { hashKey, hashStage, murmur3, philox4x32, Random } from '../src/random.ts';

const hex = (words: Iterable<number>) => Array.from(words, (word) => word.toString(16).padStart(8, '0')).join(' ');
t.test('x', (t) => { t.equal(hex(hashKey('cats/one.jpg#0')), '8bf3e620 6d27d106'); t.end(); });
