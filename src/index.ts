// The library's only door: every public name, listed by hand. A test holds the list.

export { catalogue, type ErrorCode, fail, PatchstreamError, type ValidationIssue } from './errors.ts';
export type {
  Bottleneck,
  CheckpointSaved,
  EvaluationDone,
  EventOf,
  Finished,
  NoticeGiven,
  PassedOver,
  Progress,
  RunEvent,
  RunSummary,
  SampleFailure,
  Started,
  StepDone,
  Sum,
  TuningDecision,
} from './events/events.ts';
export { type Notice, type NoticeCode, noticeCatalogue, noticeText } from './events/notices.ts';
export type { BufferPool } from './files/buffer-pool.ts';
export { pathOption } from './files/path-option.ts';
export type { OnnxType, OnnxValue } from './formats/onnx.ts';
export { openVectors } from './formats/vectors/open.ts';
export type { VectorBatch, VectorSet } from './formats/vectors/vector-set.ts';
export { embed, predict, tokenize } from './inference/index.ts';
export { defineMeasure, type MeasureContext, type MeasureDefinition, type Measured } from './measures/define.ts';
export { classify, codebook, knn, linear, maskedCodes, reconstruction, scales } from './measures/index.ts';
export { defineModel, type ModelDefinition, type ModelTools } from './models/define.ts';
export { beit, classifier, lomar, lomarBeit, lomarSrmae, mae, srmae, srmaeWith, tokenizer } from './models/index.ts';
export type { HostTensor, Loss, Model, RandomSource } from './models/model.ts';
export type { SuperResolution } from './models/srmae/super-resolution.options.ts';
export { builtin } from './pipeline/builtin.ts';
export { type Checked, check, checkFile, PipelineProblems } from './pipeline/check.ts';
export type { Definition } from './pipeline/definition.ts';
export type { Problem } from './pipeline/problem.ts';
export { createRegistry, type Registry } from './pipeline/registry.ts';
export { Random } from './random.ts';
export { embedPictures } from './runs/embed-pictures.ts';
export { type ExportedModel, exportOnnx, type ModelToExport } from './runs/export-onnx.ts';
export type { Batch, BatchOptions } from './runs/loader/batches.ts';
export { definePipeline, type Pipeline, pipeline } from './runs/loader/define.ts';
export type { OpenOptions } from './runs/loader/open.ts';
export { type RunOptions, run } from './runs/run.ts';
export type { Neighbour, Questions } from './runs/search/nearest.ts';
export { type SearchResult, searchVectors } from './runs/search/search.ts';
export { duplicates, images, toJsonl, toNpy, toParquet, toShards, toWebdataset } from './sinks/index.ts';
export {
  type ClosedSink,
  defineSink,
  type OpenSink,
  type Sink,
  type SinkContext,
  type SinkDefinition,
} from './sinks/sink.ts';
export {
  ckPlus,
  expw,
  idx,
  imageFolder,
  imagenet,
  manifest,
  mixture,
  parquet,
  rafDb,
  shards,
  svhn,
  webdataset,
} from './sources/index.ts';
export {
  defineSource,
  type Fields,
  type OpenSource,
  type Source,
  type SourceContext,
  type SourceDefinition,
  type Stamp,
  type WatchedSource,
} from './sources/source.ts';
export {
  centerCrop,
  colorJitter,
  cropBox,
  decode,
  downsample,
  faceCrop,
  gaussianBlur,
  mask,
  perceptualHash,
  randAugment,
  randomErasing,
  randomFlip,
  randomGrayscale,
  randomResizedCrop,
  resize,
  solarize,
  windows,
} from './stages/index.ts';
export { defineStage, type StageContext, type StageDefinition, type StageFactory } from './stages/stage.ts';
export { Drop, drop, type Sample } from './streams/sample.ts';
export { each, operator, type Stage, type StagePolicy } from './streams/stage.ts';
export {
  type Outcome,
  type RowResult,
  readStudy,
  runStudy,
  type Study,
  type StudyEvent,
  type StudyOptions,
  type StudyResult,
  type Summary,
} from './studies/index.ts';
export { defineTracker, type TrackedRun, type Tracker, type TrackerDefinition } from './trackers/define.ts';
export { prometheus, tensorboard } from './trackers/index.ts';
export type { Frame } from './vision/geometry.ts';
export { type Box, Picture, type Pixels } from './vision/picture.ts';
export type { FieldSpec, Spec } from './vision/spec.ts';
