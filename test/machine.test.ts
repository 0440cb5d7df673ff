import t from 'tap';
import { computeThreads, type MachineSources, machine, machineFrom, machineText } from '../src/machine.ts';

const GiB = 2 ** 30;

/** A machine of 64 cores and 256 GiB on which these files can be read. */
function seen(files: Readonly<Record<string, string>>, sources: Partial<MachineSources> = {}) {
  const whole = { cores: 64, memory: 256 * GiB, free: 200 * GiB, constrained: 0 };
  return machineFrom({ ...whole, ...sources, read: (path) => files[path] });
}

const v2Mount = (root = '/', point = '/sys/fs/cgroup') =>
  `30 23 0:26 ${root} ${point} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate`;
const v1Mount = (controllers: string, root = '/', point = `/sys/fs/cgroup/${controllers}`) =>
  `31 25 0:27 ${root} ${point} rw,nosuid master:5 - cgroup cgroup rw,${controllers}`;

t.test('C1, C3: of control groups v2 the least of the process’s own group and all above it counts', (t) => {
  const found = seen({
    '/proc/self/cgroup': '0::/kubepods/pod7/app\n',
    '/proc/self/mountinfo': `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n${v2Mount()}\n`,
    '/sys/fs/cgroup/kubepods/pod7/app/memory.max': 'max\n',
    '/sys/fs/cgroup/kubepods/pod7/memory.max': `${2 * GiB}\n`,
    '/sys/fs/cgroup/kubepods/pod7/memory.current': `${1.5 * GiB}\n`,
    '/sys/fs/cgroup/kubepods/pod7/memory.stat': `anon 5\ninactive_file ${GiB}\nactive_file 7\n`,
    '/sys/fs/cgroup/kubepods/memory.max': `${8 * GiB}\n`,
    '/sys/fs/cgroup/kubepods/memory.current': `${7 * GiB}\n`,
    '/sys/fs/cgroup/kubepods/pod7/app/cpu.max': '150000 100000\n',
    '/sys/fs/cgroup/kubepods/cpu.max': 'max 100000\n',
  });
  t.same(found, {
    cores: 2,
    memory: 2 * GiB,
    free: GiB,
    whole: { cores: 64, memory: 256 * GiB },
    bound: 'container',
  });
  t.equal(
    machineText(found),
    '2 cores, 1.0 GiB of 2.0 GiB free, in a container (control groups) on a machine with 64 cores and 256.0 GiB',
  );
  t.end();
});

t.test(
  'C1, C3: control groups v1, each controller in a hierarchy of its own, with parents that cannot be seen',
  (t) => {
    const found = seen({
      // A container that sees the machine's paths: its group is the root of what is mounted.
      '/proc/self/cgroup':
        '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/system.slice\n',
      '/proc/self/mountinfo': [
        v1Mount('memory', '/docker/abc'),
        v1Mount('cpu,cpuacct', '/docker/abc'),
        v1Mount('name=systemd', '/docker/abc'),
      ].join('\n'),
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${GiB}\n`,
      '/sys/fs/cgroup/memory/memory.stat': `hierarchical_memory_limit ${3 * GiB}\ntotal_inactive_file ${GiB / 2}\n`,
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    });
    t.match(found, { cores: 1, memory: 3 * GiB, free: 2.5 * GiB, bound: 'container' });
    t.end();
  },
);

t.test('C1, C3: both at once: v1 with memory and processor, v2 without controllers', (t) => {
  const files = {
    '/proc/self/cgroup': '4:memory:/job\n1:cpu:/job/step\n0::/\n',
    '/proc/self/mountinfo': [v1Mount('cpu'), v1Mount('memory'), v2Mount('/', '/sys/fs/cgroup/unified')].join('\n'),
    '/sys/fs/cgroup/memory/job/memory.limit_in_bytes': `${GiB}\n`,
    '/sys/fs/cgroup/memory/job/memory.usage_in_bytes': `${2 * GiB}\n`,
    '/sys/fs/cgroup/cpu/job/step/cpu.cfs_quota_us': '-1\n',
    '/sys/fs/cgroup/cpu/job/step/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us': '300001\n',
    '/sys/fs/cgroup/cpu/job/cpu.cfs_period_us': '100000\n',
  };
  t.match(seen(files), { cores: 4, memory: GiB, free: 0 }, 'what is used beyond the limit leaves nothing, not less');
  t.equal(seen(files, { cores: 3 }).cores, 3, 'the affinity is the lesser one');
  t.end();
});

t.test('C3: paths that lead out of the mount, blanks in them, and groups in groups', (t) => {
  const inside = (path: string, root: string, folder: string) =>
    seen({
      '/proc/self/cgroup': `0::${path}\n`,
      '/proc/self/mountinfo': v2Mount(root, '/my\\040groups'),
      [`/my groups${folder}/cpu.max`]: '200000 100000\n',
    }).cores;
  t.equal(inside('/', '/', ''), 2, 'a namespace of groups');
  t.equal(inside('/../../other', '/', ''), 2, 'a group outside of the namespace');
  t.equal(inside('/docker/a/docker/b', '/docker/a', '/docker/b'), 2, 'docker in docker');
  t.equal(inside('/docker/a/docker/b', '/docker/a', '/docker'), 2, 'its parent');
  t.equal(inside('/docker/ab', '/docker/a', ''), 2, 'another group whose name begins alike');
  t.end();
});

t.test('C1: without groups, with Node’s word alone, with limits of the process', (t) => {
  const whole = { cores: 64, memory: 256 * GiB, free: 200 * GiB };
  t.same(seen({}), whole);
  t.same(seen({}, { constrained: 2 ** 64 }), whole, 'Node’s word for none');
  t.same(seen({ '/proc/self/cgroup': 'nonsense\n::\n', '/proc/self/mountinfo': 'a - cgroup2\n - \n' }), whole);
  // As under docker's --memory-reservation.
  const soft = {
    '/proc/self/mountinfo': v2Mount(),
    '/proc/self/cgroup': '0::/a\n',
    '/sys/fs/cgroup/a/memory.max': 'max\n',
  };
  t.match(seen(soft, { constrained: 4 * GiB }), { memory: whole.memory }, 'a soft limit is none');
  t.match(seen({}, { constrained: 4 * GiB }), { memory: 4 * GiB, free: 4 * GiB, bound: 'container' });
  const limited = seen({
    '/proc/self/limits':
      'Limit  Soft Limit  Hard Limit  Units\nMax data size             296960000            unlimited            bytes\nMax address space         unlimited            unlimited            bytes\n',
    '/proc/self/status': 'VmSize:\t 999999 kB\nVmData:\t 100000 kB\n',
  });
  t.match(limited, { cores: 64, memory: 296_960_000, free: 296_960_000 - 102_400_000, bound: 'limit' });
  t.match(machineText(limited), /0\.3 GiB free, under a limit of memory \(ulimit\) on a machine with 64 cores/);
  t.end();
});

t.test('C3: OMP_NUM_THREADS wins over what there is', (t) => {
  t.equal(computeThreads({ OMP_NUM_THREADS: '7' }), 7);
  t.equal(computeThreads({ OMP_NUM_THREADS: '3,2' }), 3);
  t.equal(computeThreads({ OMP_NUM_THREADS: '0' }), machine().cores);
  t.equal(computeThreads({}), machine().cores);
  const { cores, memory, free } = machine();
  t.ok(cores >= 1 && free <= memory && memory > 0);
  t.end();
});

t.test('C4: one core is told as one', (t) => {
  t.equal(machineText({ cores: 1, memory: 4 * GiB, free: GiB }), '1 core, 1.0 GiB of 4.0 GiB free');
  t.end();
});
