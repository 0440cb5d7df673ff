/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/cli/verbs.test.ts > TAP > check > must match snapshot 1`] = `
bad.yaml:3:10: a stage must be one that is registered; got \`dekode\`. Did you mean \`decode\`? [NAME_UNKNOWN]
1 problem

`

exports[`test/cli/verbs.test.ts > TAP > describe > must match snapshot 1`] = `
good   seed 0   output run

image-folder  path \${PHOTOS}  repeat 1  labels false  formats ["jpeg","png","webp"]  maxBytes 268435456
                ↓ bytes
decode        maxPixels 134217728  background [255,255,255]
                ↓ bytes   picture of its own size
resize        size 64  fit cover  kernel bicubic  background [0,0,0]
                ↓ bytes   picture uint8 [64, 64, 3]
windows       patch 8  size 5  views 2  mode perImage  group 256
                ↓ bytes   picture uint8 [64, 64, 3]   windows int32 [2, 2]
mask          ratio 0.5
                ↓ bytes   picture uint8 [64, 64, 3]   windows int32 [2, 2]   masks uint8 [2, 25]
images        pictures true  format png  quality 90  sheet {"rows":8}

memory  40 × encoded files, one per permit

`

exports[`test/cli/verbs.test.ts > TAP > describe > must match snapshot 2`] = `
flowchart LR
  n0[("image-folder")]
  n1["decode"]
  n2["resize"]
  n3["windows"]
  n4["mask"]
  n5[/"images"/]
  n0 -->|"bytes"| n1
  n1 -->|"bytes<br/>picture of its own size"| n2
  n2 -->|"bytes<br/>picture uint8 [64, 64, 3]"| n3
  n3 -->|"bytes<br/>picture uint8 [64, 64, 3]<br/>windows int32 [2, 2]"| n4
  n4 -->|"bytes<br/>picture uint8 [64, 64, 3]<br/>windows int32 [2, 2]<br/>masks uint8 [2, 25]"| n5

`

exports[`test/cli/verbs.test.ts > TAP > help, version, and words that are no verbs > must match snapshot 1`] = `
patchstream: image patches, streamed

  run <pipeline>                        Run a pipeline to its end: a job into its sink, or a training.
  evaluate <pipeline>                   Measure a trained model on pictures that it was not trained on, as the pipeline says under \`evaluate\`.
  reconstruct <run> <photo…>            Draw what a trained model restores of photos, at several mask ratios; or, of a <pipeline> alone, of the pictures that it is evaluated on.
  attention <run> <photo…>              Draw what a patch of photos attends to in the blocks of a trained model, in white what it attends to most.
  compare <run…>                        Put trainings side by side, running, ended or killed: the options that differ, time, speed, losses and measures.
  predict <run> <photos>                Name the classes of pictures (a folder, a list, a table of Parquet) by a classifier that was trained before.
  embed <run> <photos>                  Turn pictures (a folder, a list, a table of Parquet) into vectors, by an encoder that was trained before.
  search <vectors> <photo…>             Find the pictures whose vectors are nearest to that of a photo, by cosine; \`key:KEY\` asks by a vector of the set.
  duplicates <photos or vectors>        Find near-duplicates: copies, crops and mirror images among pictures (a folder, a list, a table of Parquet), without a model; or vectors that are nearly the same.
  study <file>                          Run a study: trainings of a grid of models, options and seeds over pipeline files, and a table of what they are measured to be. What has been run before is not run again.
  inspect <path>                        Look into the folder of a training, or the folder of a checkpoint, or a file of weights (.safetensors), or a file of ONNX (.onnx), or a shard, or a folder of shards, or a tar, or the folder of a job: what it holds, what made it, and with --verify whether it is whole; of a training or a job, what sets its pace.
  export <run, checkpoint or file>      Write a model's weights as one safetensors file with timm's names, or the model itself as a file of ONNX.
  check <pipeline>…                     Say everything that is wrong with files of pipelines and studies, with line and column. Opens no data, but says which folders and files are not there.
  describe <pipeline, stage or module>  Show a pipeline: options, the chain with shapes on its edges, memory. Or what a stage takes; of a module of your own, as \`use\` names it, what each of its exports takes.
  profile <pipeline>                    Predict images/s, memory, time of an epoch and the bottleneck from a few seconds of loader and trainer on their own.
  doctor                                Say what this machine offers, what is missing, and the command that fixes or installs it.

  patchstream <verb> --help    what a verb takes
  patchstream --version

`
