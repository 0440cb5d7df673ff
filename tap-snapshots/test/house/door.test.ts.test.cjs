/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/house/door.test.ts > TAP > the public names > must match snapshot 1`] = `
Drop
PatchstreamError
Picture
PipelineProblems
Random
builtin
catalogue
centerCrop
check
checkFile
classifier
classify
createRegistry
cropBox
decode
defineMeasure
defineModel
definePipeline
defineSink
defineSource
defineStage
downsample
drop
each
expw
faceCrop
fail
idx
imageFolder
images
knn
linear
lomar
mae
mask
operator
pathOption
pipeline
randomFlip
randomResizedCrop
reconstruction
resize
run
shards
srmae
srmaeWith
svhn
toJsonl
toShards
toWebdataset
type Batch
type BatchOptions
type Box
type BufferPool
type Checked
type Definition
type ErrorCode
type FieldSpec
type Fields
type Frame
type HostTensor
type Loss
type MeasureContext
type MeasureDefinition
type Measured
type Model
type ModelDefinition
type ModelTools
type OpenOptions
type OpenSink
type OpenSource
type Pipeline
type Pixels
type Problem
type RandomSource
type Registry
type RunEvent
type RunOptions
type RunSummary
type Sample
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
type SuperResolution
type ValidationIssue
type WatchedSource
webdataset
windows
`
