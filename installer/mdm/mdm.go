// Package mdm makes the files with which device management knows Aval's policy
// keys: a JSON schema for policy files, the administrative templates of Windows
// (ADMX and ADML), and a sample of a configuration profile for macOS.
//
// The one rule that must not be broken: everything in them comes out of the one
// table of keys in agent/policy. The files beside this one are its output; a
// test compares them, and AVAL_UPDATE=1 writes them anew.
package mdm

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"aval/agent/policy"
)

// Files returns every generated file by its path below installer/mdm.
func Files() (map[string][]byte, error) {
	schema, err := Schema()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"aval-policy.schema.json": schema,
		"windows/Aval.admx":       ADMX(),
		"windows/pt-BR/Aval.adml": ADML("pt-BR"),
		"windows/en-US/Aval.adml": ADML("en"),
		"macos/Aval.mobileconfig": Mobileconfig(),
		// As it is for programs that are not signed.
		"macos/Aval-rights.mobileconfig": Rights(""),
	}, nil
}

// offered are the keys that device management is offered: all but those for tests.
func offered() []policy.Definition {
	var out []policy.Definition
	for _, d := range policy.Definitions() {
		if !d.Test {
			out = append(out, d)
		}
	}
	return out
}

// property is one key in the schema.
type property struct {
	Description string    `json:"description"`
	Type        string    `json:"type"`
	Enum        []string  `json:"enum,omitempty"`
	Minimum     *int      `json:"minimum,omitempty"`
	Maximum     *int      `json:"maximum,omitempty"`
	MaxItems    int       `json:"maxItems,omitempty"`
	UniqueItems bool      `json:"uniqueItems,omitempty"`
	Items       *property `json:"items,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`
	MaxLength   int       `json:"maxLength,omitempty"`
}

// Schema is the JSON schema (draft 2020-12) of one policy file.
func Schema() ([]byte, error) {
	props := map[string]property{}
	for _, d := range policy.Definitions() {
		p := property{Description: d.Doc}
		switch d.Type {
		case policy.Choice:
			p.Type, p.Enum = "string", d.Choices
		case policy.Number:
			p.Type, p.Minimum, p.Maximum = "integer", &d.Min, &d.Max
		case policy.List:
			what, _ := d.Entry("")
			p.Type, p.MaxItems, p.UniqueItems = "array", policy.MaxEntries, true
			p.Items = &property{Description: what, Type: "string", Pattern: d.Pattern, MaxLength: policy.MaxEntry}
		}
		props[string(d.Name)] = p
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Schema      string              `json:"$schema"`
		Title       string              `json:"title"`
		Description string              `json:"description"`
		Type        string              `json:"type"`
		Additional  bool                `json:"additionalProperties"`
		Properties  map[string]property `json:"properties"`
	}{"https://json-schema.org/draft/2020-12/schema", "Aval policy file",
		"A file in managed/ (enforced) or recommended/ of the policy folder. One unknown key or value makes the whole policy unreadable.",
		"object", false, props})
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return b.Bytes(), nil
}

// writer writes XML line by line.
type writer struct{ b bytes.Buffer }

func (w *writer) line(depth int, format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = escape(s)
		}
	}
	w.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&w.b, format+"\n", args...)
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

// The two kinds of setting in the templates: enforced and recommended.
var templates = []struct{ suffix, category, key string }{
	{"", "Aval", policy.RegistryKey},
	{"_Recommended", "AvalRecommended", policy.RegistryKey + `\` + policy.Recommended},
}

// ADMX is the administrative template. Its schema is documented in "Group Policy
// ADMX Syntax Reference Guide". A list lies in a sub-key of the key's name, with
// values named 1, 2, 3 (an empty valuePrefix).
func ADMX() []byte {
	w := &writer{}
	w.line(0, `<?xml version="1.0" encoding="utf-8"?>`)
	w.line(0, `<policyDefinitions xmlns="http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions" revision="1.0" schemaVersion="1.0">`)
	w.line(1, `<policyNamespaces><target prefix="aval" namespace="Aval.Policies"/></policyNamespaces>`)
	w.line(1, `<resources minRequiredRevision="1.0"/>`)
	w.line(1, `<supportedOn><definitions><definition name="SupportedAval" displayName="$(string.SupportedAval)"/></definitions></supportedOn>`)
	w.line(1, `<categories>`)
	w.line(2, `<category name="Aval" displayName="$(string.Aval)"/>`)
	w.line(2, `<category name="AvalRecommended" displayName="$(string.AvalRecommended)"><parentCategory ref="Aval"/></category>`)
	w.line(1, `</categories>`)
	w.line(1, `<policies>`)
	for _, t := range templates {
		for _, d := range offered() {
			n := string(d.Name)
			w.line(2, `<policy name="%s" class="Machine" displayName="$(string.%s)" explainText="$(string.%s_Explain)" key="%s" presentation="$(presentation.%s)">`, n+t.suffix, n, n, t.key, n)
			w.line(3, `<parentCategory ref="%s"/>`, t.category)
			w.line(3, `<supportedOn ref="SupportedAval"/>`)
			w.line(3, `<elements>`)
			switch d.Type {
			case policy.Choice:
				w.line(4, `<enum id="%s" valueName="%s" required="true">`, n, n)
				for _, c := range d.Choices {
					w.line(5, `<item displayName="$(string.%s)"><value><string>%s</string></value></item>`, choiceID(d, c), c)
				}
				w.line(4, `</enum>`)
			case policy.Number:
				w.line(4, `<decimal id="%s" valueName="%s" required="true" minValue="%d" maxValue="%d"/>`, n, n, d.Min, d.Max)
			case policy.List:
				w.line(4, `<list id="%s" key="%s" valuePrefix=""/>`, n, t.key+`\`+n)
			}
			w.line(3, `</elements>`)
			w.line(2, `</policy>`)
		}
	}
	w.line(1, `</policies>`)
	w.line(0, `</policyDefinitions>`)
	return w.b.Bytes()
}

func choiceID(d policy.Definition, choice string) string {
	return string(d.Name) + "_" + strings.ReplaceAll(choice, "-", "_")
}

// ADML is the text of the template in a language: en or pt-BR.
func ADML(lang string) []byte {
	t := texts[lang]
	w := &writer{}
	w.line(0, `<?xml version="1.0" encoding="utf-8"?>`)
	w.line(0, `<policyDefinitionResources xmlns="http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions" revision="1.0" schemaVersion="1.0">`)
	w.line(1, `<displayName>Aval</displayName>`)
	w.line(1, `<description>%s</description>`, t.about)
	w.line(1, `<resources>`)
	w.line(2, `<stringTable>`)
	w.line(3, `<string id="Aval">Aval</string>`)
	w.line(3, `<string id="AvalRecommended">%s</string>`, t.recommended)
	w.line(3, `<string id="SupportedAval">%s</string>`, t.supported)
	for _, d := range offered() {
		n := string(d.Name)
		w.line(3, `<string id="%s">%s</string>`, n, t.name(d.Name))
		w.line(3, `<string id="%s_Explain">%s</string>`, n, t.explain(d))
		for _, c := range d.Choices {
			w.line(3, `<string id="%s">%s</string>`, choiceID(d, c), t.choices[c]+" ("+c+")")
		}
	}
	w.line(2, `</stringTable>`)
	w.line(2, `<presentationTable>`)
	for _, d := range offered() {
		n := string(d.Name)
		w.line(3, `<presentation id="%s">`, n)
		switch d.Type {
		case policy.Choice:
			w.line(4, `<dropdownList refId="%s" noSort="true" defaultItem="0">%s</dropdownList>`, n, t.name(d.Name))
		case policy.Number:
			w.line(4, `<decimalTextBox refId="%s" defaultValue="%s">%s</decimalTextBox>`, n, d.Default, t.name(d.Name))
		case policy.List:
			w.line(4, `<listBox refId="%s">%s</listBox>`, n, t.name(d.Name))
		}
		w.line(3, `</presentation>`)
	}
	w.line(2, `</presentationTable>`)
	w.line(1, `</resources>`)
	w.line(0, `</policyDefinitionResources>`)
	return w.b.Bytes()
}

// Mobileconfig is a sample of a configuration profile with every key once, lists
// as recommended values and the rest as enforced ones, to show both.
func Mobileconfig() []byte {
	w := &writer{}
	profile(w, "aval.policy.sample", "Aval", func() {
		payload(w, 3, policy.PreferenceDomain, "aval.policy.sample.values", "Aval", func() {
			for _, d := range offered() {
				if d.Type != policy.List {
					plistValue(w, 3, d)
				}
			}
			w.line(3, `<key>%s</key>`, policy.Recommended)
			w.line(3, `<dict>`)
			for _, d := range offered() {
				if d.Type == policy.List {
					plistValue(w, 4, d)
				}
			}
			w.line(3, `</dict>`)
		})
	})
	return w.b.Bytes()
}

// profile writes a profile for the whole computer.
func profile(w *writer, id, name string, payloads func()) {
	w.line(0, `<?xml version="1.0" encoding="UTF-8"?>`)
	w.line(0, `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">`)
	w.line(0, `<plist version="1.0">`)
	w.line(0, `<dict>`)
	payloadKeys(w, 1, "Configuration", id, name)
	w.line(1, `<key>PayloadScope</key>`)
	w.line(1, `<string>System</string>`)
	w.line(1, `<key>PayloadContent</key>`)
	w.line(1, `<array>`)
	payloads()
	w.line(1, `</array>`)
	w.line(0, `</dict>`)
	w.line(0, `</plist>`)
}

// payload writes one part of a profile.
func payload(w *writer, depth int, kind, id, name string, values func()) {
	w.line(depth-1, `<dict>`)
	payloadKeys(w, depth, kind, id, name)
	values()
	w.line(depth-1, `</dict>`)
}

func payloadKeys(w *writer, depth int, kind, id, name string) {
	w.line(depth, `<key>PayloadType</key>`)
	w.line(depth, `<string>%s</string>`, kind)
	w.line(depth, `<key>PayloadVersion</key>`)
	w.line(depth, `<integer>1</integer>`)
	w.line(depth, `<key>PayloadIdentifier</key>`)
	w.line(depth, `<string>%s</string>`, id)
	w.line(depth, `<key>PayloadUUID</key>`)
	w.line(depth, `<string>%s</string>`, uuid(id))
	w.line(depth, `<key>PayloadDisplayName</key>`)
	w.line(depth, `<string>%s</string>`, name)
}

func plistValue(w *writer, depth int, d policy.Definition) {
	v := d.ExampleValue()
	w.line(depth, `<key>%s</key>`, string(d.Name))
	switch d.Type {
	case policy.Choice:
		w.line(depth, `<string>%s</string>`, v.Text)
	case policy.Number:
		w.line(depth, `<integer>%s</integer>`, strconv.Itoa(v.Number))
	case policy.List:
		w.line(depth, `<array>`)
		for _, e := range v.List {
			w.line(depth+1, `<string>%s</string>`, e)
		}
		w.line(depth, `</array>`)
	}
}

// uuid makes a fixed one out of a name, so that the sample is always the same.
func uuid(name string) string {
	s := sha256.Sum256([]byte(name))
	s[6], s[8] = s[6]&0x0f|0x80, s[8]&0x3f|0x80 // version 8 of RFC 9562: made as one likes
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:16]))
}
