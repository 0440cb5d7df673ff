import t from 'tap';
import { commonSpec } from '../../../src/sources/mixture/common.ts';
import type { Spec } from '../../../src/vision/spec.ts';

const label = { dtype: 'int32', shape: [] } as const;
const box = { dtype: 'int32', shape: [4] } as const;

t.test('what all have alike stays', (t) => {
  const files: Spec = { fields: { bytes: 'bytes', label, box }, formats: ['jpeg', 'png'] };
  t.same(commonSpec([files, { fields: { bytes: 'bytes', label }, formats: ['tiff', 'jpeg'] }]), {
    fields: { bytes: 'bytes', label },
    formats: ['jpeg', 'png', 'tiff'],
  });
  t.same(commonSpec([files, { fields: { bytes: 'bytes', box: { ...box, shape: [2, 2] } } }]), {
    fields: { bytes: 'bytes' },
    formats: ['jpeg', 'png', 'webp'],
  });
  const digits: Spec = { fields: { picture: 'picture', label }, size: [28, 28], classes: 10 };
  t.same(commonSpec([digits, digits]), digits);
  t.same(commonSpec([digits, { ...digits, size: [32, 32] }]), { fields: digits.fields, classes: 10 });
  t.same(commonSpec([digits, files]).fields, { label });
  t.equal(commonSpec([digits, { fields: {}, open: true }]).open, true);
  t.end();
});
