package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"aval/summarizer/api"
)

// DocsPath is the document as a page for people.
const DocsPath = "/api/docs"

// docsPolicy is the page's Content-Security-Policy: it has one style of its own,
// and nothing else.
const docsPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const docsStyle = `:root{color-scheme:light dark}
html{background:#fff;color:#1b1f20}a{color:#0b5c66}:focus-visible{outline:3px solid #0b5c66;outline-offset:2px}
@media (prefers-color-scheme:dark){html{background:#15191a;color:#e8ecec}a{color:#7fd0d8}:focus-visible{outline-color:#7fd0d8}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem 1.25rem 4rem}
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.5rem;border-bottom:1px solid}h3{font-size:1rem;margin:1.5rem 0 .25rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{white-space:pre-wrap}
.method{display:inline-block;min-width:4.2rem;font-weight:700}
table{border-collapse:collapse;width:100%;margin:.25rem 0}th,td{text-align:left;vertical-align:top;padding:.2rem .75rem .2rem 0;border-bottom:1px solid #8886}
@media (max-width:48rem){table,tbody,tr,td{display:block}thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}tr{padding:.4rem 0;border-bottom:1px solid #8886}td{border:0;padding:.1rem 0;overflow-wrap:anywhere}}
h3,code{overflow-wrap:anywhere}p{margin:.25rem 0}nav ul{columns:16rem;padding-left:1.2rem}
`

var docsPage = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Aval API</title><link rel="stylesheet" href="{{.Style}}"></head><body><main>
<h1>Aval API</h1>
{{range .Intro}}<p>{{.}}</p>{{end}}
<p>The document: <a href="{{.Base}}/openapi.yaml">openapi.yaml</a>, <a href="{{.Base}}/openapi.json">openapi.json</a>.</p>
<nav aria-label="Contents"><ul>{{range .Tags}}<li><a href="#{{.Name}}">{{.Name}}</a></li>{{end}}<li><a href="#schemas">Schemas</a></li></ul></nav>
{{range .Tags}}<section aria-labelledby="{{.Name}}"><h2 id="{{.Name}}">{{.Name}}</h2><p>{{.Description}}</p>
{{range .Operations}}<h3 id="{{.ID}}"><code><span class="method">{{.Method}}</span> {{.Path}}</code></h3>
<p>{{.Summary}}</p>{{with .Description}}<p>{{.}}</p>{{end}}
<p>{{if .Needs}}Scope: <code>{{.Needs}}</code>{{else}}No token is needed.{{end}}{{with .Body}} · Body: <a href="#schema-{{.}}"><code>{{.}}</code></a>{{end}}{{range .Answers}} · {{.Status}}: {{if .Schema}}<a href="#schema-{{.Schema}}"><code>{{.Schema}}</code></a>{{else}}{{.Description}}{{end}}{{end}}</p>
{{if .Parameters}}<table><thead><tr><th scope="col">Parameter</th><th scope="col">In</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>
{{range .Parameters}}<tr><td><code>{{.Name}}</code></td><td>{{.In}}</td><td>{{.Type}}</td><td>{{.Meaning}}</td></tr>
{{end}}</tbody></table>{{end}}
{{end}}</section>
{{end}}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>
{{range .Schemas}}<h3 id="schema-{{.Name}}"><code>{{.Name}}</code></h3><p>{{.Description}}</p>
{{if .Fields}}<table><thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>
{{range .Fields}}<tr><td><code>{{.Name}}</code>{{if .Required}} (always){{end}}</td><td>{{if .Schema}}<a href="#schema-{{.Schema}}">{{.Type}}</a>{{else}}{{.Type}}{{end}}</td><td>{{.Meaning}}</td></tr>
{{end}}</tbody></table>{{end}}
{{end}}</section></main></body></html>
`))

type docTag struct {
	Name, Description string
	Operations        []docOperation
}

type docOperation struct {
	ID, Method, Path, Summary, Description, Needs, Body string
	Parameters                                          []docField
	Answers                                             []docAnswer
}

type docAnswer struct{ Status, Schema, Description string }

type docField struct {
	Name, In, Type, Schema, Meaning string
	Required                        bool
}

type docSchema struct {
	Name, Description string
	Fields            []docField
}

// page draws the document, once.
func page(doc *openapi3.T) ([]byte, error) {
	data := struct {
		Base, Style string
		Intro       []string
		Tags        []docTag
		Schemas     []docSchema
	}{Base: Base, Style: DocsPath + "/style.css", Intro: strings.Split(strings.TrimSpace(doc.Info.Description), "\n\n")}
	for _, t := range doc.Tags {
		tag := docTag{Name: t.Name, Description: t.Description}
		for _, path := range doc.Paths.InMatchingOrder() {
			item := doc.Paths.Value(path)
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
				if op := item.GetOperation(method); op != nil && slices.Contains(op.Tags, t.Name) {
					tag.Operations = append(tag.Operations, operation(method, path, item, op))
				}
			}
		}
		slices.SortStableFunc(tag.Operations, func(a, b docOperation) int { return strings.Compare(a.Path, b.Path) })
		data.Tags = append(data.Tags, tag)
	}
	for name, ref := range doc.Components.Schemas {
		s := docSchema{Name: name, Description: ref.Value.Description}
		for field, f := range ref.Value.Properties {
			s.Fields = append(s.Fields, docField{Name: field, Type: typeOf(f), Schema: schemaName(f), Meaning: f.Value.Description, Required: slices.Contains(ref.Value.Required, field)})
		}
		slices.SortFunc(s.Fields, func(a, b docField) int { return strings.Compare(a.Name, b.Name) })
		data.Schemas = append(data.Schemas, s)
	}
	slices.SortFunc(data.Schemas, func(a, b docSchema) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	if err := docsPage.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("draw OpenAPI document: %w", err)
	}
	return b.Bytes(), nil
}

func operation(method, path string, item *openapi3.PathItem, op *openapi3.Operation) docOperation {
	out := docOperation{ID: op.OperationID, Method: method, Path: Base + path, Summary: op.Summary, Description: op.Description}
	out.Needs, _ = op.Extensions["x-permission"].(string)
	for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
		out.Parameters = append(out.Parameters, docField{Name: p.Value.Name, In: p.Value.In, Type: typeOf(p.Value.Schema), Meaning: p.Value.Description, Required: p.Value.Required})
	}
	if op.RequestBody != nil {
		out.Body = schemaName(op.RequestBody.Value.Content["application/json"].Schema)
	}
	for status, r := range op.Responses.Map() {
		a := docAnswer{Status: status, Description: *r.Value.Description}
		if c := r.Value.Content["application/json"]; c != nil {
			a.Schema = schemaName(c.Schema)
		}
		if status == "default" {
			a.Status = "otherwise"
		}
		out.Answers = append(out.Answers, a)
	}
	slices.SortFunc(out.Answers, func(a, b docAnswer) int { return strings.Compare(a.Status, b.Status) })
	return out
}

// schemaName is the name of the schema that ref refers to, or its elements do.
func schemaName(ref *openapi3.SchemaRef) string {
	if ref.Ref == "" && ref.Value.Items != nil {
		ref = ref.Value.Items
	}
	return strings.TrimPrefix(ref.Ref, "#/components/schemas/")
}

// typeOf is a type with its limits, in words.
func typeOf(ref *openapi3.SchemaRef) string {
	s := ref.Value
	name := schemaName(ref)
	switch {
	case s.Items != nil && name != "":
		return "list of " + name
	case s.Items != nil:
		return "list of " + typeOf(s.Items)
	case name != "":
		return name
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		return strings.Join(words, " | ")
	case s.Format == "date-time":
		return "time"
	case s.Type == nil:
		return "any"
	}
	out := strings.Join(s.Type.Slice(), " or ")
	if s.MaxLength != nil {
		out += fmt.Sprintf(", at most %d", *s.MaxLength)
	}
	if s.Min != nil && s.Max != nil {
		out += fmt.Sprintf(", %g to %g", *s.Min, *s.Max)
	}
	return out
}

// document serves the document in its forms, to anybody: it is no secret.
func (s *Server) document(w http.ResponseWriter, r *http.Request) bool {
	var body []byte
	typ := ""
	switch r.URL.Path {
	case DocsPath, DocsPath + "/":
		typ, body = "text/html; charset=utf-8", s.docs
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
	case DocsPath + "/style.css":
		typ, body = "text/css; charset=utf-8", []byte(docsStyle)
	case Base + "/openapi.yaml":
		typ, body = "application/yaml", api.YAML
	case Base + "/openapi.json":
		doc, err := api.Document()
		if err == nil {
			body, err = json.MarshalIndent(doc, "", "  ")
		}
		if err != nil {
			s.fail(w, r, err)
			return true
		}
		typ = "application/json"
	default:
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.fail(w, r, problem{http.StatusMethodNotAllowed, "method_not_allowed", "This path takes GET."})
		return true
	}
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(body) // the reader has gone: nobody to tell
	return true
}
