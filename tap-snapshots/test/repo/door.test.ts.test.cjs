/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/repo/door.test.ts > TAP > the public names > must match snapshot 1`] = `
Drop
PatchstreamError
Picture
PipelineProblems
Random
beit
builtin
catalogue
centerCrop
check
checkFile
ckPlus
classifier
classify
codebook
colorJitter
createRegistry
cropBox
decode
defineMeasure
defineModel
definePipeline
defineSink
defineSource
defineStage
defineTracker
downsample
drop
duplicates
each
embed
embedPictures
exportOnnx
expw
faceCrop
fail
gaussianBlur
idx
imageFolder
imagenet
images
knn
linear
lomar
lomarBeit
lomarSrmae
mae
manifest
mask
maskedCodes
mixture
noticeCatalogue
noticeText
openVectors
operator
parquet
pathOption
perceptualHash
pipeline
predict
prometheus
rafDb
randAugment
randomErasing
randomFlip
randomGrayscale
randomResizedCrop
readStudy
reconstruction
resize
run
runStudy
scales
searchVectors
shards
solarize
srmae
srmaeWith
svhn
tensorboard
toJsonl
toNpy
toParquet
toShards
toWebdataset
tokenize
tokenizer
type Batch
type BatchOptions
type Bottleneck
type Box
type BufferPool
type Checked
type CheckpointSaved
type ClosedSink
type Definition
type ErrorCode
type EvaluationDone
type EventOf
type ExportedModel
type FieldSpec
type Fields
type Finished
type Frame
type HostTensor
type Loss
type MeasureContext
type MeasureDefinition
type Measured
type Model
type ModelDefinition
type ModelToExport
type ModelTools
type Neighbour
type Notice
type NoticeCode
type NoticeGiven
type OnnxType
type OnnxValue
type OpenOptions
type OpenSink
type OpenSource
type Outcome
type PassedOver
type Pipeline
type Pixels
type Problem
type Progress
type Questions
type RandomSource
type Registry
type RowResult
type RunEvent
type RunOptions
type RunSummary
type Sample
type SampleFailure
type SearchResult
type Sink
type SinkContext
type SinkDefinition
type Source
type SourceContext
type SourceDefinition
type Spec
type Stage
type StageContext
type StageDefinition
type StageFactory
type StagePolicy
type Stamp
type Started
type StepDone
type Study
type StudyEvent
type StudyOptions
type StudyResult
type Sum
type Summary
type SuperResolution
type TrackedRun
type Tracker
type TrackerDefinition
type TuningDecision
type ValidationIssue
type VectorBatch
type VectorSet
type WatchedSource
webdataset
windows
`
