/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/runs/training/evaluation.test.ts > TAP > files, lines, report and JSON of a model that tells classes apart > must match snapshot 1`] = `
after step 1: Accuracy at 16×16: 33.3 %; the largest class has 33.3 % (6 pictures)
after step 2: Accuracy at 16×16: 33.3 %; the largest class has 33.3 % (6 pictures)

Accuracy at 16×16: 33.3 %; the largest class has 33.3 % (6 pictures)
----
{"step":1,"epoch":0.5,"digest":"…","features":[{"id":"classify","kind":"classify","top1":0.33,"top5":1,"classes":3,"largest":0.33,"modelClasses":3,"resolution":"16×16","images":6,"of":6}]}
{"step":2,"epoch":1,"digest":"…","features":[{"id":"classify","kind":"classify","top1":0.33,"top5":1,"classes":3,"largest":0.33,"modelClasses":3,"resolution":"16×16","images":6,"of":6}]}

----
{
  "classify": {
    "classes": 3,
    "largest": 0.33,
    "modelClasses": 3,
    "resolution": "16×16",
    "images": 6,
    "of": 6,
    "top1": {
      "end": 0.33
    }
  }
}

----

<h2>Classes</h2>
<table>
<tr><th></th><th class="number">top-1 before</th><th class="number">top-1 after</th></tr>
<tr><th>Accuracy at 16×16</th><td class="number"></td><td class="number">33.3 %</td></tr></table>

<p>Accuracy at 16×16: 6 pictures; the largest class has 33.3 %.</p>

<h2>Each class</h2>
<table>
<tr><th></th><th class="number">pictures</th><th class="number">found</th><th class="number">right, of those named so</th></tr>
<tr><th>b</th><td class="number">2</td><td class="number">0.0 %</td><td class="number">–</td></tr>
<tr><th>c</th><td class="number">2</td><td class="number">0.0 %</td><td class="number">–</td></tr>
<tr><th>a</th><td class="number">2</td><td class="number">100.0 %</td><td class="number">33.3 %</td></tr></table>

<h2>Which class was taken for which</h2>
<table>
<tr><th>class</th><th class="number">a</th><th class="number">b</th><th class="number">c</th></tr>
<tr><th>a</th><td class="number">2</td><td class="number">0</td><td class="number">0</td></tr>
<tr><th>b</th><td class="number">2</td><td class="number">0</td><td class="number">0</td></tr>
<tr><th>c</th><td class="number">2</td><td class="number">0</td><td class="number">0</td></tr></table>

<p>Rows are the classes of the pictures, columns the answers of the model.</p>

<h2>The worst answers</h2>
<table>
<tr><th>picture</th><th class="number">class</th><th class="number">probability</th><th class="number">answer</th><th class="number">probability</th></tr>
<tr><th>c/0.png</th><td class="number">c</td><td class="number">0.33</td><td class="number">a</td><td class="number">0.33</td></tr>
<tr><th>c/1.png</th><td class="number">c</td><td class="number">0.33</td><td class="number">a</td><td class="number">0.33</td></tr>
<tr><th>b/0.png</th><td class="number">b</td><td class="number">0.33</td><td class="number">a</td><td class="number">0.33</td></tr>
<tr><th>b/1.png</th><td class="number">b</td><td class="number">0.33</td><td class="number">a</td><td class="number">0.33</td></tr>
<tr><th>a/1.png</th><td class="number">a</td><td class="number">0.33</td><td class="number">a</td><td class="number">0.33</td></tr>
<tr><th>a/0.png</th><td class="number">a</td><td class="number">0.33</td><td class="number">a</td><td class="number">0.33</td></tr></table>

<p><img alt="The pictures of which the model thought their class least likely" src="data:image/png;base64"></p>

<p>The pictures of the table above in its order, row by row.</p>

----
Accuracy at 16×16: 33.3 %; the largest class has 33.3 % (6 pictures)

----
{"classify":{"top1":0.33,"classes":3,"largest":0.33,"modelClasses":3,"resolution":"16×16","images":6,"of":6},"sums":[{"place":"evaluate.classify.on","sum":{"listed":6,"delivered":6,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]}]}

----
evaluate
  every     {"steps":1}
  classify  {"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}}]}

----
{"every":{"steps":1},"measures":[{"classify":{"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}}]}}]}
`

exports[`test/runs/training/evaluation.test.ts > TAP > files, lines, report and JSON of everything that is measured of a model that restores > must match snapshot 1`] = `
before the training: k-NN accuracy at 16×16: 100.0 %; the largest class has 33.3 % (k 3; 6 pictures, answers from 12)
before the training: Linear accuracy at 16×16: 100.0 %; the largest class has 50.0 % (4 of 6 pictures, answers from 12)
after step 2: k-NN accuracy at 16×16: 100.0 %; the largest class has 33.3 % (k 3; 6 pictures, answers from 12)
after step 2: Linear accuracy at 16×16: 100.0 %; the largest class has 50.0 % (4 of 6 pictures, answers from 12)
after step 2: error on the hidden pixels 1.2
after step 4: k-NN accuracy at 16×16: 100.0 %; the largest class has 33.3 % (k 3; 6 pictures, answers from 12)
after step 4: Linear accuracy at 16×16: 100.0 %; the largest class has 50.0 % (4 of 6 pictures, answers from 12)
after step 4: error on the hidden pixels 1.2

Error on the hidden pixels of 6 pictures (1 is guessing the mean colour):
  mean patch    0.71
  nearest patch 1.2
  this model    1.2
  smooth fill   2.2
mean-patch restores better: 0.71 against 1.2.
The model predicts patches standardised by their own mean and spread; both were taken from the true patch to bring them back, so \`ours\` is lower than the model's own merit, and comparing it with the others flatters it.
k-NN accuracy at 16×16: 100.0 % before, 100.0 % after; the largest class has 33.3 % (k 3; 6 pictures, answers from 12)
Linear accuracy at 16×16: 100.0 % before, 100.0 % after; the largest class has 50.0 % (4 of 6 pictures, answers from 12)
restored pictures: /run/reconstruction.png
report: /run/report.html
----
{"step":0,"epoch":0,"digest":"…","features":[{"id":"knn","kind":"knn","k":3,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"images":6,"of":6,"against":12,"againstOf":12},{"id":"linear","kind":"linear","top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.5,"images":4,"of":6,"against":12,"againstOf":12}]}
{"step":2,"epoch":0.33,"digest":"…","reconstruction":{"ours":1.2,"meanPatch":0.71,"nearestPatch":1.2,"smoothFill":2.2},"features":[{"id":"knn","kind":"knn","k":3,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"images":6,"of":6,"against":12,"againstOf":12},{"id":"linear","kind":"linear","top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.5,"images":4,"of":6,"against":12,"againstOf":12}]}
{"step":4,"epoch":0.67,"digest":"…","reconstruction":{"ours":1.2,"meanPatch":0.71,"nearestPatch":1.2,"smoothFill":2.2},"features":[{"id":"knn","kind":"knn","k":3,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"images":6,"of":6,"against":12,"againstOf":12},{"id":"linear","kind":"linear","top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.5,"images":4,"of":6,"against":12,"againstOf":12}]}

----
{
  "ours": 1.2,
  "meanPatch": 0.71,
  "nearestPatch": 1.2,
  "smoothFill": 2.2,
  "knn": {
    "k": 3,
    "resolution": "16×16",
    "classes": 3,
    "largest": 0.33,
    "images": 6,
    "of": 6,
    "against": 12,
    "againstOf": 12,
    "top1": {
      "start": 1,
      "end": 1
    },
    "top5": {
      "start": 1,
      "end": 1
    }
  },
  "linear": {
    "resolution": "16×16",
    "classes": 3,
    "largest": 0.5,
    "images": 4,
    "of": 6,
    "against": 12,
    "againstOf": 12,
    "top1": {
      "start": 1,
      "end": 1
    },
    "top5": {
      "start": 1,
      "end": 1
    }
  }
}

----

<h2>Frozen features</h2>
<table>
<tr><th></th><th class="number">top-1 before</th><th class="number">top-1 after</th><th class="number">top-5 before</th><th class="number">top-5 after</th></tr>
<tr><th>k-NN accuracy at 16×16</th><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number">100.0 %</td></tr>
<tr><th>Linear accuracy at 16×16</th><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number">100.0 %</td></tr></table>

<p>k-NN accuracy at 16×16: k 3; 6 pictures, answers from 12; the largest class has 33.3 %. Linear accuracy at 16×16: 4 of 6 pictures, answers from 12; the largest class has 50.0 %.</p>

<h2>On the way</h2>
<table>
<tr><th>after step</th><th class="number">epoch</th><th class="number">knn, top-1</th><th class="number">linear, top-1</th><th class="number">reconstruction error</th></tr>
<tr><th>0</th><td class="number">0.00</td><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number"></td></tr>
<tr><th>2</th><td class="number">0.33</td><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number">1.2</td></tr>
<tr><th>4</th><td class="number">0.67</td><td class="number">100.0 %</td><td class="number">100.0 %</td><td class="number">1.2</td></tr></table>

<h2>Held-out reconstruction</h2>
<table>
<tr><th></th><th class="number">mean squared error, normalised pixels</th></tr>
<tr><th>This model</th><td class="number">1.2</td></tr>
<tr><th>Smooth fill</th><td class="number">2.2</td></tr>
<tr><th>Mean patch</th><td class="number">0.71</td></tr>
<tr><th>Nearest patch</th><td class="number">1.2</td></tr></table>

<p>The model predicts patches standardised by their own mean and spread; both were taken from the true patch to bring them back, so \`ours\` is lower than the model&#39;s own merit, and comparing it with the others flatters it.</p>

<p><img alt="What the model is given of each picture, and what it makes of it" src="data:image/png;base64"></p>

<p>Grey patches are hidden from the model; half grey ones in one of two windows that overlap there. Pale patches lie in no window.</p>

----
Error on the hidden pixels of 6 pictures (1 is guessing the mean colour):
  mean patch    0.71
  nearest patch 1.2
  this model    1.2
  smooth fill   2.2
mean-patch restores better: 0.71 against 1.2.
The model predicts patches standardised by their own mean and spread; both were taken from the true patch to bring them back, so \`ours\` is lower than the model's own merit, and comparing it with the others flatters it.
k-NN accuracy at 16×16: 100.0 %; the largest class has 33.3 % (k 3; 6 pictures, answers from 12)
Linear accuracy at 16×16: 100.0 %; the largest class has 50.0 % (4 of 6 pictures, answers from 12)

----
{"ours":1.2,"meanPatch":0.71,"nearestPatch":1.2,"smoothFill":2.2,"images":6,"hidden":1152,"notes":["The model predicts patches standardised by their own mean and spread; both were taken from the true patch to bring them back, so \`ours\` is lower than the model's own merit, and comparing it with the others flatters it."],"knn":{"k":3,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"images":6,"of":6,"against":12,"againstOf":12},"linear":{"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.5,"images":4,"of":6,"against":12,"againstOf":12},"sums":[{"place":"evaluate.reconstruction.on","sum":{"listed":6,"delivered":6,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.knn.reference","sum":{"listed":12,"delivered":12,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.knn.on","sum":{"listed":6,"delivered":6,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.linear.reference","sum":{"listed":12,"delivered":12,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.linear.on","sum":{"listed":6,"delivered":4,"failed":0,"dropped":0,"passedOver":0,"notAsked":2,"notReached":0},"passedOver":[]}]}

----
evaluate
  every           {"steps":2}
  reconstruction  {"baseline":"mean-patch","pictures":2,"on":{"image-folder":{"path":"test","repeat":1,"labels":false,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}
  knn             {"k":3,"vote":"weighted","temperature":0.07,"pool":"mean","limit":{},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"train","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}
  linear          {"epochs":20,"batch":256,"lr":0.1,"pool":"mean","limit":{"on":4},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"train","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}

----
{"every":{"steps":2},"measures":[{"reconstruction":{"baseline":"mean-patch","pictures":2,"on":{"image-folder":{"path":"test","repeat":1,"labels":false,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}},{"knn":{"k":3,"vote":"weighted","temperature":0.07,"pool":"mean","limit":{},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"train","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}},{"linear":{"epochs":20,"batch":256,"lr":0.1,"pool":"mean","limit":{"on":4},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"train","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}}]}
`

exports[`test/runs/training/evaluation.test.ts > TAP > the full form: the same measure twice, at the end alone > must match snapshot 1`] = `

k-NN accuracy at 16×16: 100.0 %; the largest class has 33.3 % (k 1; 6 pictures, answers from 12)
k-NN accuracy at 16×16 (knn#2): 100.0 %; the largest class has 33.3 % (k 2; 6 pictures, answers from 6, the same pictures)
----
{"step":1,"epoch":0.17,"digest":"…","features":[{"id":"knn","kind":"knn","k":1,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"images":6,"of":6,"against":12,"againstOf":12},{"id":"knn#2","kind":"knn","k":2,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"same":true,"images":6,"of":6,"against":6,"againstOf":6,"notes":["Warning: k-NN asks about the very pictures that answer, each of which knows itself: this accuracy says nothing of other pictures. Name others in \`on\` or \`reference\`."]}]}

----
{
  "knn": {
    "k": 1,
    "resolution": "16×16",
    "classes": 3,
    "largest": 0.33,
    "images": 6,
    "of": 6,
    "against": 12,
    "againstOf": 12,
    "top1": {
      "end": 1
    },
    "top5": {
      "end": 1
    }
  },
  "knn#2": {
    "k": 2,
    "resolution": "16×16",
    "classes": 3,
    "largest": 0.33,
    "same": true,
    "images": 6,
    "of": 6,
    "against": 6,
    "againstOf": 6,
    "top1": {
      "end": 1
    },
    "top5": {
      "end": 1
    },
    "notes": [
      "Warning: k-NN asks about the very pictures that answer, each of which knows itself: this accuracy says nothing of other pictures. Name others in \`on\` or \`reference\`."
    ]
  }
}

----

<h2>Frozen features</h2>
<table>
<tr><th></th><th class="number">top-1 before</th><th class="number">top-1 after</th><th class="number">top-5 before</th><th class="number">top-5 after</th></tr>
<tr><th>k-NN accuracy at 16×16</th><td class="number"></td><td class="number">100.0 %</td><td class="number"></td><td class="number">100.0 %</td></tr>
<tr><th>k-NN accuracy at 16×16 (knn#2)</th><td class="number"></td><td class="number">100.0 %</td><td class="number"></td><td class="number">100.0 %</td></tr></table>

<p>k-NN accuracy at 16×16: k 1; 6 pictures, answers from 12; the largest class has 33.3 %. k-NN accuracy at 16×16 (knn#2): k 2; 6 pictures, answers from 6, the same pictures; the largest class has 33.3 %.</p>

<p>Warning: k-NN asks about the very pictures that answer, each of which knows itself: this accuracy says nothing of other pictures. Name others in \`on\` or \`reference\`.</p>

----
k-NN accuracy at 16×16: 100.0 %; the largest class has 33.3 % (k 1; 6 pictures, answers from 12)
k-NN accuracy at 16×16 (knn#2): 100.0 %; the largest class has 33.3 % (k 2; 6 pictures, answers from 6, the same pictures)
Warning: k-NN asks about the very pictures that answer, each of which knows itself: this accuracy says nothing of other pictures. Name others in \`on\` or \`reference\`.

----
{"knn":{"k":1,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"images":6,"of":6,"against":12,"againstOf":12},"knn#2":{"k":2,"top1":1,"top5":1,"resolution":"16×16","classes":3,"largest":0.33,"same":true,"images":6,"of":6,"against":6,"againstOf":6,"notes":["Warning: k-NN asks about the very pictures that answer, each of which knows itself: this accuracy says nothing of other pictures. Name others in \`on\` or \`reference\`."]},"sums":[{"place":"evaluate.knn.reference","sum":{"listed":12,"delivered":12,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.knn.on","sum":{"listed":6,"delivered":6,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.knn#2.reference","sum":{"listed":6,"delivered":6,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]},{"place":"evaluate.knn#2.on","sum":{"listed":6,"delivered":6,"failed":0,"dropped":0,"passedOver":0,"notReached":0},"passedOver":[]}]}

----
evaluate
  at     ["end"]
  knn    {"k":1,"vote":"majority","temperature":0.07,"pool":"mean","limit":{},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"train","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}
  knn#2  {"k":2,"vote":"weighted","temperature":0.07,"pool":"cls","limit":{},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}

----
{"at":["end"],"measures":[{"knn":{"k":1,"vote":"majority","temperature":0.07,"pool":"mean","limit":{},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"train","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}},{"knn":{"k":2,"vote":"weighted","temperature":0.07,"pool":"cls","limit":{},"on":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"reference":{"image-folder":{"path":"test","repeat":1,"labels":true,"formats":["jpeg","png","webp"],"maxBytes":268435456}},"stages":[{"decode":{"maxPixels":134217728,"background":[255,255,255]}},{"resize":{"size":16,"fit":"cover","kernel":"bicubic","background":[0,0,0]}},{"windows":{"patch":4,"size":3,"views":1,"mode":"perImage","group":256}},{"mask":{"ratio":0.5}}]}}]}
`
