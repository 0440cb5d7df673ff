/**
 * The environment that the bench was started with. Libraries of ours are told by variables how many threads to start (`prepareThreads`), which is nothing for a
 * peer: this file is loaded before any of them.
 */
export const startedWith: Readonly<NodeJS.ProcessEnv> = { ...process.env };
