import t from 'tap';
import { mutateDataset } from '../../kit/datasets/mutate.ts';
import { subjects } from '../../kit/datasets/subjects.ts';

for (const [name, subject] of Object.entries(subjects))
  t.test(`150 mutations of ${name}: an error of the catalogue, or the labels as they are`, async (t) => {
    const { refused, read, wrong } = await mutateDataset(t.testdir({}), await subject(), 150);
    t.same(wrong, []);
    t.ok(refused > 30 && read > 30, `${refused} refused, ${read} read`);
  });
