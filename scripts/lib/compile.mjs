/**
 * Compiles an addon: every source with one call of the compiler, then one link, and a trial whether it loads.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { digest, filesBelow, readIfThere } from './stamp.mjs';

/**
 * @typedef {object} Plan
 * @property {string} root
 * @property {string} name
 * @property {string} compiler
 * @property {readonly Form[]} forms
 * @property {string[]} link
 * @property {string[]} sources
 * @property {string | undefined} [heavy] a header that is compiled first, and once
 */

/**
 * One form of the addon.
 *
 * @typedef {object} Form
 * @property {string[]} flags
 * @property {string} toolchain digest of all that every object depends on
 * @property {string} target
 */

/** The program of the trial: an addon that does not load is not built. */
const loads = 'process.dlopen({ exports: {} }, process.argv[1])';

/**
 * Compiles what has no object yet and links; answers the first error, or nothing when all went well. What it makes has a name of its own until it
 * is whole, so that a program that starts meanwhile finds the old addon or the new one.
 *
 * @param {Plan} plan
 * @param {number} jobs
 * @param {import('./runner.mjs').Starter} start
 * @param {() => void} compiled is called after each source
 * @returns {Promise<string | undefined>}
 */
export async function make(plan, jobs, start, compiled) {
  const { root, name, compiler, forms, link } = plan;
  const build = join(root, 'native', name, 'build');
  mkdirSync(join(build, 'objects'), { recursive: true });
  const log = forms.map(({ flags }) => `${compiler} ${flags.join(' ')}`);
  /** @type {string | undefined} */
  let reason;
  const waiting = missingObjects(plan);
  removeLeft(build);
  const common = await precompile(plan, build, start, log);
  let goesOn = true;
  const worker = async () => {
    try {
      for (let next = waiting.shift(); next !== undefined && goesOn; next = waiting.shift()) {
        const { source, object, form } = next;
        const temporary = `${object}.${process.pid}`;
        const answer = await start(compiler, [...form.flags, ...common.flags, '-c', source, '-o', temporary], {
          cwd: root,
        });
        log.push(`-- ${source}`, answer.stdout + answer.stderr);
        if (answer.status === 0) renameSync(temporary, object);
        else reason ??= firstError(answer);
        goesOn = goesOn && reason === undefined;
        compiled();
      }
    } catch (error) {
      goesOn = false;
      throw error;
    }
  };
  // Each to its end, also where one has thrown: when this has ended, nothing is counted or written any more.
  const ends = await Promise.allSettled(Array.from({ length: jobs }, worker));
  common.remove();
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  for (const form of forms) {
    if (reason !== undefined) break;
    const temporary = join(build, `${basename(form.target, '.node')}.${process.pid}.node`);
    const objects = objectsOf({ ...plan, forms: [form] }).map(({ object }) => object);
    const linked = await start(compiler, ['-o', temporary, ...objects, ...link], { cwd: root });
    const loaded =
      linked.status === 0 ? await start(process.execPath, ['-e', loads, temporary], { cwd: root }) : linked;
    log.push('-- link', linked.stdout + linked.stderr);
    if (loaded !== linked) log.push('-- load', loaded.stdout + loaded.stderr);
    if (loaded.status === 0) renameSync(temporary, form.target);
    else {
      rmSync(temporary, { force: true });
      reason = firstError(loaded);
    }
  }
  if (reason === undefined) {
    removeOthers(
      build,
      objectsOf(plan).map(({ object }) => object),
    );
  }
  writeFileSync(join(build, 'build.log'), `${log.join('\n')}\n`);
  return reason;
}

/**
 * Compiles the heavy header, which every source then finds ready: of libtorch's it is three quarters of a source's time. What it cannot be compiled
 * for, the sources will tell. It takes hundreds of megabytes and is needed no longer than they are compiled.
 *
 * @param {Plan} plan
 * @param {string} build
 * @param {import('./runner.mjs').Starter} start
 * @param {string[]} log
 */
async function precompile({ root, compiler, forms, heavy }, build, start, log) {
  const nothing = { flags: /** @type {string[]} */ ([]), remove() {} };
  const flags = forms[0]?.flags ?? [];
  if (heavy === undefined || forms.length > 1) return nothing;
  const folder = join(build, `header-${process.pid}`);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const header = join(folder, 'heavy.h');
  writeFileSync(header, `#include <${heavy}>\n`);
  const answer = await start(compiler, [...flags, '-x', 'c++-header', header, '-o', `${header}.gch`], { cwd: root });
  log.push(`-- ${heavy}`, answer.stdout + answer.stderr);
  if (answer.status === 0) return { flags: ['-include', header], remove };
  remove();
  return nothing;
}

/**
 * Removes what builds have left that were ended, as by Ctrl+C: a header's form of hundreds of megabytes, and what was not whole. Its name says whose it is.
 *
 * @param {string} build
 */
function removeLeft(build) {
  for (const folder of [build, join(build, 'objects')]) {
    for (const name of readdirSync(folder)) {
      const [, pid] = /(?:^header-|\.)(\d+)(?:\.node)?$/.exec(name) ?? [];
      if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Removes the objects of sources that have changed since.
 *
 * @param {string} build
 * @param {string[]} objects
 */
function removeOthers(build, objects) {
  const kept = new Set(objects.map((object) => basename(object)));
  for (const name of filesBelow(build, 'objects')) {
    if (!kept.has(basename(name)) && name.endsWith('.o')) rmSync(join(build, name), { force: true });
  }
}

/**
 * The object of every source, named after all that it is made from.
 *
 * @param {Plan} plan
 */
function objectsOf({ root, name, sources, forms }) {
  const objects = join(root, 'native', name, 'build', 'objects');
  return forms.flatMap((form) =>
    sources
      .filter((source) => source.endsWith('.cc'))
      .map((source) => ({
        source,
        form,
        object: join(objects, `${basename(source, '.cc')}-${digest(form.toolchain, ...texts(root, [source]))}.o`),
      })),
  );
}

/** @param {Plan} plan */
export const missingObjects = (plan) => objectsOf(plan).filter(({ object }) => !existsSync(object));

/**
 * @param {string} root
 * @param {string[]} names
 */
export const texts = (root, names) => names.flatMap((name) => [name, readIfThere(join(root, name))]);

/**
 * Starts so many commands at a time, the others in the order in which they are asked for.
 *
 * @param {number} most
 * @param {import('./runner.mjs').Starter} start
 * @returns {import('./runner.mjs').Starter}
 */
export function atMost(most, start) {
  let running = 0;
  /** @type {(() => void)[]} */
  const waiting = [];
  return async (...args) => {
    if (running === most) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
    else running++;
    try {
      return await start(...args);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/** @param {import('./runner.mjs').Answer} answer */
export function firstError({ stdout, stderr, status }) {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  const error = [/\berror: /i, /undefined reference|cannot find|not found|Killed/].flatMap((pattern) =>
    lines.filter((line) => pattern.test(line)),
  )[0];
  return error ?? lines.find((line) => line !== '') ?? `exit code ${status}`;
}
