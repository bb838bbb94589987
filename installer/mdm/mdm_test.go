package mdm_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aval/agent/policy"
	"aval/installer/mdm"
)

func files(t *testing.T) map[string][]byte {
	t.Helper()
	all, err := mdm.Files()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFilesAreThoseOfTheTable: what lies here is what the table of keys gives.
// AVAL_UPDATE=1 writes it anew.
func TestFilesAreThoseOfTheTable(t *testing.T) {
	for name, want := range files(t) {
		got, err := os.ReadFile(name)
		if err == nil && bytes.Equal(got, want) {
			continue
		}
		if os.Getenv("AVAL_UPDATE") == "" {
			t.Errorf("%s is not what agent/policy/keys.go gives: run with AVAL_UPDATE=1 (%v)", name, err)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// offered are the names that device management must be offered.
func offered() (names []string) {
	for _, d := range policy.Definitions() {
		if !d.Test {
			names = append(names, string(d.Name))
		}
	}
	return names
}

// TestSchemaAgrees reads the schema by itself and holds it against the table.
func TestSchemaAgrees(t *testing.T) {
	var schema struct {
		Additional *bool `json:"additionalProperties"`
		Properties map[string]struct {
			Type             string
			Enum             []string
			Minimum, Maximum *int
			MaxItems         int
			UniqueItems      bool
			Items            struct {
				Type, Pattern string
				MaxLength     int
			}
		}
	}
	if err := json.Unmarshal(files(t)["aval-policy.schema.json"], &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Additional == nil || *schema.Additional || len(schema.Properties) != len(policy.Definitions()) {
		t.Errorf("%d properties of %d keys, or others are allowed", len(schema.Properties), len(policy.Definitions()))
	}
	for _, d := range policy.Definitions() {
		p := schema.Properties[string(d.Name)]
		switch d.Type {
		case policy.Choice:
			if p.Type != "string" || !slices.Equal(p.Enum, d.Choices) {
				t.Errorf("%s: %+v", d.Name, p)
			}
		case policy.Number:
			if p.Type != "integer" || p.Minimum == nil || *p.Minimum != d.Min || p.Maximum == nil || *p.Maximum != d.Max {
				t.Errorf("%s: %+v", d.Name, p)
			}
		case policy.List:
			if p.Type != "array" || !p.UniqueItems || p.MaxItems != policy.MaxEntries || p.Items.Type != "string" ||
				p.Items.Pattern != d.Pattern || p.Items.MaxLength != policy.MaxEntry {
				t.Errorf("%s: %+v", d.Name, p)
			}
		}
	}
}

type admx struct {
	Policies []struct {
		Name    string `xml:"name,attr"`
		Class   string `xml:"class,attr"`
		Key     string `xml:"key,attr"`
		Display string `xml:"displayName,attr"`
		Explain string `xml:"explainText,attr"`
		Present string `xml:"presentation,attr"`
		Enum    *struct {
			Value string `xml:"valueName,attr"`
			Items []struct {
				Display string `xml:"displayName,attr"`
				Value   string `xml:"value>string"`
			} `xml:"item"`
		} `xml:"elements>enum"`
		Decimal *struct {
			Value string `xml:"valueName,attr"`
			Min   int    `xml:"minValue,attr"`
			Max   int    `xml:"maxValue,attr"`
		} `xml:"elements>decimal"`
		List *struct {
			Key    string  `xml:"key,attr"`
			Prefix *string `xml:"valuePrefix,attr"`
		} `xml:"elements>list"`
	} `xml:"policies>policy"`
}

type adml struct {
	Strings []struct {
		ID   string `xml:"id,attr"`
		Text string `xml:",chardata"`
	} `xml:"resources>stringTable>string"`
	Presentations []struct {
		ID string `xml:"id,attr"`
	} `xml:"resources>presentationTable>presentation"`
}

// TestTemplatesAgree reads the administrative templates by themselves: each key
// twice, enforced and recommended, where the service reads it, with its values;
// every text that they name is there in both languages, and in its own.
func TestTemplatesAgree(t *testing.T) {
	all := files(t)
	var x admx
	if err := xml.Unmarshal(all["windows/Aval.admx"], &x); err != nil {
		t.Fatal(err)
	}
	need := map[string]bool{}
	seen := map[string]int{}
	for _, p := range x.Policies {
		name := strings.TrimSuffix(p.Name, "_Recommended")
		key := policy.RegistryKey
		if name != p.Name {
			key += `\` + policy.Recommended
		}
		d, ok := policy.Define(policy.Name(name))
		if !ok || p.Class != "Machine" || p.Key != key {
			t.Errorf("%s: %+v", p.Name, p)
		}
		seen[name]++
		need[p.Display], need[p.Explain] = true, true
		need[strings.Replace(p.Present, "$(presentation.", "$(string.", 1)] = true
		switch {
		case d.Type == policy.Choice && p.Enum != nil && p.Enum.Value == name:
			var values []string
			for _, i := range p.Enum.Items {
				need[i.Display] = true
				values = append(values, i.Value)
			}
			if !slices.Equal(values, d.Choices) {
				t.Errorf("%s: %v", p.Name, values)
			}
		case d.Type == policy.Number && p.Decimal != nil && p.Decimal.Value == name && p.Decimal.Min == d.Min && p.Decimal.Max == d.Max:
		case d.Type == policy.List && p.List != nil && p.List.Key == key+`\`+name && p.List.Prefix != nil && *p.List.Prefix == "":
		default:
			t.Errorf("%s: its element is not that of the table", p.Name)
		}
	}
	for _, n := range offered() {
		if seen[n] != 2 {
			t.Errorf("%s stands there %d times", n, seen[n])
		}
	}
	if len(seen) != len(offered()) {
		t.Errorf("%d keys, not %d", len(seen), len(offered()))
	}
	said := map[string]map[string]string{}
	for _, lang := range []string{"en-US", "pt-BR"} {
		var l adml
		if err := xml.Unmarshal(all["windows/"+lang+"/Aval.adml"], &l); err != nil {
			t.Fatal(err)
		}
		said[lang] = map[string]string{}
		for _, s := range l.Strings {
			said[lang][s.ID] = s.Text
		}
		var shown []string
		for _, p := range l.Presentations {
			shown = append(shown, p.ID)
		}
		if !slices.Equal(shown, offered()) {
			t.Errorf("%s: presentations %v", lang, shown)
		}
		for ref := range need {
			id := strings.TrimSuffix(strings.TrimPrefix(ref, "$(string."), ")")
			if said[lang][id] == "" || strings.Contains(said[lang][id], "%!") {
				t.Errorf("%s: %s says %q", lang, id, said[lang][id])
			}
		}
	}
	for _, n := range offered() {
		for _, id := range []string{n, n + "_Explain"} {
			if said["en-US"][id] == said["pt-BR"][id] {
				t.Errorf("%s is not translated", id)
			}
		}
	}
}

// TestSampleAgrees: the profile holds every key once, and only keys.
func TestSampleAgrees(t *testing.T) {
	var keys []string
	d := xml.NewDecoder(bytes.NewReader(files(t)["macos/Aval.mobileconfig"]))
	for {
		tok, err := d.Token()
		if err != nil {
			break
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == "key" {
			var k string
			if err := d.DecodeElement(&k, &s); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(k, "Payload") && k != policy.Recommended {
				keys = append(keys, k)
			}
		}
	}
	want := offered()
	slices.Sort(want)
	slices.Sort(keys)
	if !slices.Equal(keys, want) {
		t.Errorf("%v, not %v", keys, want)
	}
}

// TestNothingElseLiesHere: a file that is not generated would not be kept right.
func TestNothingElseLiesHere(t *testing.T) {
	want := slices.Collect(maps.Keys(files(t)))
	for _, dir := range []string{"windows", "macos"} {
		err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() && !slices.Contains(want, filepath.ToSlash(p)) {
				t.Errorf("%s is not generated", p)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestRights: with a team, each right that Aval is not to have is denied to each of
// its programs, by the name with which the script for a Mac signs it; without one
// nothing is said of programs that cannot be told. Planted once: a name of another
// spelling in the script.
func TestRights(t *testing.T) {
	type dict struct {
		Keys    []string `xml:"key"`
		Strings []string `xml:"string"`
		Dicts   []dict   `xml:"dict"`
		Arrays  []struct {
			Dicts []dict `xml:"dict"`
		} `xml:"array"`
	}
	parts := func(raw []byte) []dict {
		var p struct {
			Dict dict `xml:"dict"`
		}
		if err := xml.Unmarshal(raw, &p); err != nil || len(p.Dict.Arrays) != 1 {
			t.Fatal(err)
		}
		return p.Dict.Arrays[0].Dicts
	}
	if all := parts(mdm.Rights("")); len(all) != 1 || all[0].Strings[0] != "com.apple.servicemanagement" || len(all[0].Arrays[0].Dicts) != 2 {
		t.Errorf("without a team: %+v", all)
	}
	all := parts(mdm.Rights("ABCDE12345"))
	if len(all) != 2 || all[1].Strings[0] != "com.apple.TCC.configuration-profile-policy" {
		t.Fatalf("with a team: %+v", all)
	}
	script, err := os.ReadFile("../macos/release.sh")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(script, []byte("for name in aval aval-desktop aval-ui; do\n\tcodesign")) || !bytes.Contains(script, []byte(`--identifier "aval.Aval.$name"`)) {
		t.Error("the script signs with other names")
	}
	services := all[1].Dicts[0]
	for _, right := range []string{"Accessibility", "Camera", "ListenEvent", "Microphone", "PostEvent", "ScreenCapture"} {
		i := slices.Index(services.Keys, right)
		if i < 0 || len(services.Arrays[i].Dicts) != 3 {
			t.Errorf("%s is not denied to all", right)
			continue
		}
		for j, name := range []string{"aval", "aval-desktop", "aval-ui"} {
			want := []string{"/opt/aval/bin/" + name, "path", `identifier "aval.Aval.` + name + `" and anchor apple generic and certificate leaf[subject.OU] = "ABCDE12345"`, "Deny"}
			if got := services.Arrays[i].Dicts[j]; !slices.Equal(got.Strings, want) || !slices.Equal(got.Keys, []string{"Identifier", "IdentifierType", "CodeRequirement", "Authorization"}) {
				t.Errorf("%s, %s: %q", right, name, got.Strings)
			}
		}
	}
}
