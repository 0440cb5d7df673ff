/**
 * Studies: grids of trainings over pipeline files, and what they are measured to be. A study runs what `run` runs, one training after the other, and has no state but their
 * folders: it goes on after a kill, and parts of it run on several machines. Imports pipeline and runs.
 */
export { isStudy, readStudy, type Study, studyOptions } from './options.ts';
export { aboutText, failuresOf, studyTable, writePage } from './page.ts';
export type { Outcome, RowResult, Summary } from './results.ts';
export { checkStudy, runStudy, type StudyEvent, type StudyOptions, type StudyResult } from './run-study.ts';
