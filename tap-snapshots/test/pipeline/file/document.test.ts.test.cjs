/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/pipeline/file/document.test.ts > TAP > what is not plain YAML is a problem with its place > must match snapshot 1`] = `
PIPELINE_YAML: /p.yaml:2:1: a pipeline file must be plain YAML; got Map keys must be unique. Keep one of the two.
---
PIPELINE_YAML: /p.yaml:1:4: a pipeline file must be plain YAML; got Unresolved tag: !php/object. Leave the tag out.
---
PIPELINE_YAML: /p.yaml:2:1: a pipeline file must be plain YAML; got Flow sequence in block collection must be sufficiently indented and end with a ]. Line it up with its neighbours.
---
PIPELINE_YAML: /p.yaml:2:1: a pipeline file must be plain YAML; got Tabs are not allowed as indentation. Indent with spaces.
---
PIPELINE_YAML: /p.yaml:1:4: a pipeline file must be plain YAML; got *nowhere, which names nothing above it. Name an anchor \`&name\` that comes before it.
---
PIPELINE_YAML: /p.yaml:3:1: a pipeline file must be plain YAML; got Source contains multiple documents; please use YAML.parseAllDocuments(). Write one pipeline per file.
---
PIPELINE_YAML: /p.yaml:1:3: a pipeline file must be plain YAML; got a key that is no plain name. Write a name before the colon.
---
PIPELINE_YAML: /p.yaml:1:1: a pipeline file must be plain YAML; got the key __proto__. Leave it out.
PIPELINE_YAML: /p.yaml:2:1: a pipeline file must be plain YAML; got the key constructor. Leave it out.
---
PIPELINE_YAML: /p.yaml:1:6: a pipeline file must be plain YAML; got a merge key of something else than a map. Name a map: \`<<: *base\`.
---
PIPELINE_YAML: /p.yaml:1:1: a pipeline file must be plain YAML; got an empty file. Begin with \`source:\` and \`stages:\`.
`
