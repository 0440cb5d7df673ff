import { counted } from '../../counts.ts';
import { fail, printable } from '../../errors.ts';
import { openVectors } from '../../formats/vectors/open.ts';
import type { Neighbour } from '../../runs/search/nearest.ts';
import { jobOf, questionsOf } from '../../runs/search/questions.ts';
import { searchVectors } from '../../runs/search/search.ts';
import { type Command, exits, type Given } from '../command.ts';
import { photosOption } from '../sheets/pictures.ts';
import { distanceText, writeSheet } from './sheet.ts';

/** `patchstream search <vectors> <photo…>` */
export const search: Command = {
  name: 'search',
  usage: '<vectors> <photo…>',
  summary:
    'Find the pictures whose vectors are nearest to that of a photo, by cosine; `key:KEY` asks by a vector of the set.',
  options: {
    top: { type: 'string', value: 'number', about: 'How many neighbours are named of each photo. Default 10.' },
    json: { type: 'boolean', about: 'Print one object of JSON.' },
    sheet: { type: 'string', value: 'file.html', about: 'Write a page that shows the photos and their neighbours.' },
    photos: photosOption,
    from: {
      type: 'string',
      value: 'run',
      about: 'The model that embeds the photos. Default: the one that the vectors name as theirs.',
    },
    field: { type: 'string', value: 'name', about: 'The field of the vectors. Default embedding.' },
  },
  async run(given, { stdout, stderr }) {
    const [path, ...words] = given.words;
    if (path === undefined || words.length === 0) throw argument(given.words.join(' ') || 'nothing', usageAdvice);
    const top = topOf(given);
    const field = given.text('field');
    const set = await openVectors(path, field === undefined ? {} : { field });
    const questions = await questionsOf({ set, words, from: given.text('from') });
    const { count, neighbours } = await searchVectors(set, questions, { top });
    const answers = words.map((question, i) => ({ question, neighbours: neighbours[i]! }));
    if (given.flag('json')) {
      const about = { type: 'search', vectors: path, count, width: set.width };
      const listed = answers.map(({ question, neighbours }) => ({ question, neighbours: neighbours.map(shown) }));
      stdout.write(`${JSON.stringify({ ...about, answers: listed })}\n`);
    } else {
      for (const { question, neighbours } of answers)
        stdout.write(`${[printable(question), ...neighbours.map(lineOf)].join('\n')}\n`);
      stdout.write(`${counted(count, 'vector')} of ${counted(set.width, 'number')} in ${path}\n`);
    }
    const sheet = given.text('sheet');
    if (sheet === undefined) return exits.ok;
    const photos = given.text('photos') ?? jobOf(path).source;
    for (const line of await writeSheet(sheet, photos, answers)) stderr.write(`${printable(line)}\n`);
    if (!given.flag('json')) stdout.write(`${sheet}\n`);
    return exits.ok;
  },
};

const usageAdvice = 'Write `patchstream search <vectors> <photo…>`.';

function argument(found: string, advice: string) {
  return fail('ARGUMENT', { command: 'patchstream search', found, advice });
}

/** @throws ARGUMENT */
function topOf(given: Given): number {
  const text = given.text('top') ?? '10';
  const top = Number(text);
  if (text.trim() !== '' && Number.isInteger(top) && top >= 1 && top <= 10_000) return top;
  throw argument(`--top ${text}`, 'It must be a whole number from 1 to 10000.');
}

function shown({ key, row, similarity }: Neighbour): object {
  return { key, row, similarity, distance: 1 - similarity };
}

function lineOf({ key, similarity }: Neighbour, rank: number): string {
  return `${String(rank + 1).padStart(5)}  ${distanceText(similarity)}  ${printable(key)}`;
}
