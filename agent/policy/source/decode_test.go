package source

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"aval/agent/consent"
	"aval/agent/plist"
	"aval/agent/policy"
)

// judged is what files from elsewhere come to, as Load finds it.
func judged(files []file, problems []policy.Problem, err error) (policy.Effective, []policy.Problem, error) {
	if err != nil {
		return policy.Unreadable(), nil, err
	}
	s := New(Options{Dir: "/none"}).snapshot(files)
	return s.Effective, append(problems, s.Problems...), nil
}

func text(s string) *string   { return &s }
func number(n uint32) *uint32 { return &n }

// goodRegistry is a registry as the administrative templates write it.
func goodRegistry() registryTree {
	return registryTree{
		Values: []registryValue{{Name: "AccessControl", Text: text("denied")}, {Name: "QuestionSeconds", Number: number(60)}},
		Keys: map[string]registryTree{
			"SSHAccounts": {Values: []registryValue{{Name: "10", Text: text("third")}, {Name: "2", Text: text("second")}, {Name: "1", Text: text("first")}}},
			"Recommended": {
				Values: []registryValue{{Name: "AskAgainMinutes", Number: number(90)}},
				Keys:   map[string]registryTree{"Languages": {Values: []registryValue{{Name: "1", Text: text("pt-BR")}}}},
			},
		},
	}
}

const place = `HKLM\SOFTWARE\Policies\Aval`

func TestRegistry(t *testing.T) {
	files, problems := registryFiles(place, goodRegistry())
	e, problems, err := judged(files, problems, nil)
	if err != nil || len(problems) > 0 || e.State != consent.PolicyFresh {
		t.Fatalf("%v, %v, %s", err, problems, e.State)
	}
	access := e.Get(policy.AccessControl).Value
	if access.Text != "denied" || !access.Enforced || access.Origin.String() != "registry:"+place {
		t.Errorf("%+v", access)
	}
	if a := e.SSH().Accounts; !slices.Equal(a, []string{"first", "second", "third"}) {
		t.Errorf("accounts %v", a)
	}
	lang := e.Get(policy.Languages).Value
	if lang.Enforced || !slices.Equal(lang.List, []string{"pt-BR"}) || lang.Origin.File != place+" Recommended" {
		t.Errorf("%+v", lang)
	}
	if e.QuestionTime().Seconds() != 60 || e.AskAgain().Minutes() != 90 {
		t.Errorf("%s, %s", e.QuestionTime(), e.AskAgain())
	}
	if o := New(Options{}).origins(files); o != "registry:"+place {
		t.Errorf("origin %s", o)
	}
	if files, problems := registryFiles(place, registryTree{}); len(files)+len(problems) > 0 {
		t.Errorf("an empty key is no policy: %v %v", files, problems)
	}
}

// TestRegistryMistakes: everything that has no place there makes it unreadable,
// and every mistake is listed at once.
func TestRegistryMistakes(t *testing.T) {
	for want, spoil := range map[string]func(*registryTree){
		`value "dnied" is not allowed`:    func(r *registryTree) { r.Values[0].Text = text("dnied") },
		`upper and lower case count`:      func(r *registryTree) { r.Values[0].Name = "accesscontrol" },
		`"Colour": is not a key`:          func(r *registryTree) { r.Values[0].Name = "Colour" },
		`"(Default)": is set`:             func(r *registryTree) { r.Values[0].Name = "" },
		`is of type 3`:                    func(r *registryTree) { r.Values[0] = registryValue{Name: "AccessControl", Other: "3"} },
		`value "1" is not allowed`:        func(r *registryTree) { r.Values[0] = registryValue{Name: "AccessControl", Number: number(1)} },
		`value "60" is a text`:            func(r *registryTree) { r.Values[1].Number, r.Values[1].Text = nil, text("60") },
		`value 4294967295 is not`:         func(r *registryTree) { r.Values[1].Number = number(1<<32 - 1) },
		`"Other": is not a key`:           func(r *registryTree) { r.Keys["Other"] = registryTree{} },
		`"AskAgainMinutes": value is a l`: func(r *registryTree) { r.Keys["AskAgainMinutes"] = registryTree{} },
		`is a value and a sub-key`:        func(r *registryTree) { r.Keys["QuestionSeconds"] = registryTree{} },
		`has an entry named "01"`:         func(r *registryTree) { r.Keys["SSHAccounts"].Values[0].Name = "01" },
		`has an entry named "a"`:          func(r *registryTree) { r.Keys["SSHAccounts"].Values[0].Name = "a" },
		`entry 10 is no text`:             func(r *registryTree) { r.Keys["SSHAccounts"].Values[0].Text = nil },
		`stands there twice`:              func(r *registryTree) { r.Keys["SSHAccounts"].Values[0].Text = text("first") },
		`with a sub-key in it`:            func(r *registryTree) { r.Keys["SSHGroups"] = registryTree{Keys: map[string]registryTree{"x": {}}} },
		`"Recommended": is not a key`:     func(r *registryTree) { r.Keys["Recommended"].Keys["Recommended"] = registryTree{} },
	} {
		r := goodRegistry()
		spoil(&r)
		files, problems := registryFiles(place, r)
		_, problems, err := judged(files, problems, nil)
		if err != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: %v, %v", want, problems, err)
		}
	}
	r := goodRegistry()
	r.Values[0].Text, r.Values[1].Other, r.Values[1].Number = text("dnied"), "3", nil
	r.Keys["Recommended"].Keys["Languages"].Values[0].Text = text("Brazilian Portuguese")
	files, problems := registryFiles(place, r)
	if _, problems, _ = judged(files, problems, nil); len(problems) != 3 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
}

const plistHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">`

const goodPlist = plistHead + `
<dict>
  <key>PayloadUUID</key> <string>0F17496E</string>
  <key>AccessControl</key><string>denied</string>
  <!-- a minute -->
  <key>QuestionSeconds</key><integer>60</integer>
  <key>SSHAccounts</key><array><string>first</string><string>R&amp;D</string></array>
  <key>Recommended</key><dict><key>Languages</key><array><string>pt-BR</string></array></dict>
</dict>
</plist>
`

// bplist writes a binary property list: what CFBinaryPList.c writes, with one
// byte for each reference and two for each offset.
func bplist(v any) []byte {
	var objects [][]byte
	var put func(v any) byte
	length := func(kind byte, n int) []byte {
		if n < 15 {
			return []byte{kind<<4 | byte(n)}
		}
		return []byte{kind<<4 | 15, 0x11, byte(n >> 8), byte(n)}
	}
	put = func(v any) byte {
		at := len(objects)
		objects = append(objects, nil)
		var b []byte
		switch v := v.(type) {
		case bool:
			b = []byte{8}
			if v {
				b = []byte{9}
			}
		case int:
			b = binary.BigEndian.AppendUint64([]byte{0x13}, uint64(v))
		case string:
			if strings.ContainsFunc(v, func(r rune) bool { return r > 127 }) {
				u := utf16.Encode([]rune(v))
				b = length(6, len(u))
				for _, c := range u {
					b = binary.BigEndian.AppendUint16(b, c)
				}
			} else {
				b = append(length(5, len(v)), v...)
			}
		case []any:
			b = length(10, len(v))
			for _, e := range v {
				b = append(b, put(e))
			}
		case map[string]any:
			b = length(13, len(v))
			var keys, values []byte
			for k, e := range v {
				keys = append(keys, put(k))
				values = append(values, put(e))
			}
			b = append(append(b, keys...), values...)
		}
		objects[at] = b
		return byte(at)
	}
	put(v)
	out := []byte("bplist00")
	var offsets []byte
	for _, o := range objects {
		offsets = binary.BigEndian.AppendUint16(offsets, uint16(len(out)))
		out = append(out, o...)
	}
	table := len(out)
	out = append(out, offsets...)
	out = append(out, 0, 0, 0, 0, 0, 0, 2, 1)
	out = binary.BigEndian.AppendUint64(out, uint64(len(objects)))
	out = binary.BigEndian.AppendUint64(out, 0)
	return binary.BigEndian.AppendUint64(out, uint64(table))
}

func goodBinary() []byte {
	return bplist(map[string]any{"PayloadUUID": "0F17496E", "AccessControl": "denied", "QuestionSeconds": 60,
		"SSHAccounts": []any{"first", "R&D"}, "Recommended": map[string]any{"Languages": []any{"pt-BR"}}})
}

func TestPreferences(t *testing.T) {
	for name, raw := range map[string][]byte{"XML": []byte(goodPlist), "binary": goodBinary()} {
		e, problems, err := judged(preferencesOf(raw))
		if err != nil || len(problems) > 0 || e.State != consent.PolicyFresh {
			t.Fatalf("%s: %v, %v, %s", name, err, problems, e.State)
		}
		access := e.Get(policy.AccessControl).Value
		if access.Text != "denied" || !access.Enforced || access.Origin.String() != "managed-preferences:/prefs.plist" {
			t.Errorf("%s: %+v", name, access)
		}
		if e.QuestionTime().Seconds() != 60 || !slices.Equal(e.SSH().Accounts, []string{"first", "R&D"}) {
			t.Errorf("%s: %v", name, e.All())
		}
		if lang := e.Get(policy.Languages).Value; lang.Enforced || !slices.Equal(lang.List, []string{"pt-BR"}) {
			t.Errorf("%s: %+v", name, lang)
		}
	}
	long := strings.Repeat("é", 300) // UTF-16, and longer than a marker's nibble
	got, err := decodePlist(bplist(map[string]any{"a": long, "b": true, "c": []any{false, -1}}))
	if want := map[string]any{"a": long, "b": true, "c": []any{false, int64(-1)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func preferencesOf(raw []byte) ([]file, []policy.Problem, error) {
	files, err := preferenceFiles("/prefs.plist", raw)
	return files, nil, err
}

// TestSampleProfile: the payload of the profile that device management is given
// as a sample is a policy without a mistake.
func TestSampleProfile(t *testing.T) {
	raw, err := os.ReadFile("../../../installer/mdm/macos/Aval.mobileconfig")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := decodePlist(raw)
	if err != nil {
		t.Fatal(err)
	}
	content, ok := profile["PayloadContent"].([]any)
	if !ok || len(content) != 1 {
		t.Fatalf("%v", profile)
	}
	payload := content[0].(map[string]any)
	if payload["PayloadType"] != policy.PreferenceDomain {
		t.Errorf("%v", payload["PayloadType"])
	}
	enforced, others := map[string]any{}, payload[policy.Recommended].(map[string]any)
	for k, v := range payload {
		if !profileKey(k) && k != policy.Recommended {
			enforced[k] = v
		}
	}
	files, err := jsonFiles(policy.FromPreferences, "/prefs.plist", enforced, others)
	if e, problems, err := judged(files, nil, err); err != nil || len(problems) > 0 || e.State != consent.PolicyFresh {
		t.Errorf("%v, %v, %s", problems, err, e.State)
	}
}

// TestPreferencesMistakes: what breaks the format, or says a thing twice, is no
// policy; what is readable and wrong is listed.
func TestPreferencesMistakes(t *testing.T) {
	dict := func(body string) []byte { return []byte(plistHead + "<dict>" + body + "</dict></plist>") }
	deep := strings.Repeat("<array>", 20) + strings.Repeat("</array>", 20)
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":              {nil, "is no property list"},
		"JSON":               {[]byte(`{"AccessControl": "denied"}`), "is no property list"},
		"an array":           {[]byte(plistHead + "<array/></plist>"), "no dictionary"},
		"no plist":           {[]byte("<dict/>"), "root is no plist"},
		"cut off":            {[]byte(goodPlist[:len(goodPlist)-40]), "is no property list"},
		"two values":         {[]byte(plistHead + "<dict/><dict/></plist>"), "after its value"},
		"after the end":      {[]byte(goodPlist + "<plist/>"), "is no property list"},
		"a key twice":        {dict("<key>Reporting</key><string>off</string><key>Reporting</key><string>on</string>"), "stands there twice"},
		"no value":           {dict("<key>Reporting</key>"), "a value is missing"},
		"no key":             {dict("<string>on</string>"), "has no key"},
		"text between":       {dict("denied"), "text stands between"},
		"a date":             {dict("<key>Reporting</key><date>2026-11-22T00:00:00Z</date>"), `type "date" is not known`},
		"no number":          {dict("<key>QuestionSeconds</key><integer>sixty</integer>"), "no whole number"},
		"nested":             {dict("<key>Reporting</key>" + deep), "nested too deeply"},
		"an entity":          {[]byte(strings.Replace(goodPlist, "denied", "&x;", 1)), "is no property list"},
		"Recommended a text": {dict("<key>Recommended</key><string>on</string>"), "Recommended is no dictionary"},
		"an unknown key":     {dict("<key>Colour</key><string>red</string>"), "is not a key"},
		"a slip":             {dict("<key>AccessControl</key><string>dnied</string>"), "is not allowed"},
		"a truth":            {dict("<key>Reporting</key><true/>"), "true or false"},
		"a dictionary":       {dict("<key>Reporting</key><dict/>"), "an object"},
		"binary, cut off":    {goodBinary()[:20], "cut off"},
		"binary, trailer":    {append(goodBinary()[:len(goodBinary())-1], 0xff), "trailer is damaged"},
		"binary, itself":     {selfish(), "nested too deeply"},
		"binary, a bomb":     {bomb(), "nested too deeply or too large"},
		"too many elements":  {dict("<key>Languages</key><array>" + strings.Repeat("<string/>", plist.MaxNodes) + "</array>"), "too many elements"},
		"too large":          {make([]byte, policy.MaxFile+1), "larger"},
	} {
		e, problems, err := judged(preferencesOf(c.raw))
		said := ""
		if err != nil {
			said = err.Error()
		} else if len(problems) > 0 {
			said = problems[0].String()
		}
		if e.State != consent.PolicyUnreadable || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s, %q", name, e.State, said)
		}
	}
	both := dict("<key>AccessControl</key><string>dnied</string><key>Recommended</key><dict><key>Colour</key><true/></dict>")
	if _, problems, _ := judged(preferencesOf(both)); len(problems) != 2 {
		t.Errorf("%v", problems)
	}
}

// selfish is an array that holds itself.
func selfish() []byte {
	raw := []byte("bplist00\xa1\x00\x08")
	raw = append(raw, 0, 0, 0, 0, 0, 0, 1, 1)
	for _, n := range []uint64{1, 0, 10} {
		raw = binary.BigEndian.AppendUint64(raw, n)
	}
	return raw
}

// bomb is a few arrays, each of which holds the next 200 times.
func bomb() []byte {
	raw := []byte("bplist00")
	var offsets []byte
	for i := range byte(7) {
		offsets = binary.BigEndian.AppendUint16(offsets, uint16(len(raw)))
		raw = append(raw, 0xaf, 0x10, 200)
		for range 200 {
			raw = append(raw, i+1)
		}
	}
	offsets = binary.BigEndian.AppendUint16(offsets, uint16(len(raw)))
	raw = append(raw, 0x09)
	table := len(raw)
	raw = append(append(raw, offsets...), 0, 0, 0, 0, 0, 0, 2, 1)
	for _, n := range []uint64{8, 0, uint64(table)} {
		raw = binary.BigEndian.AppendUint64(raw, n)
	}
	return raw
}

// sound is what must hold of whatever was decoded: without a problem it is wholly
// valid, and every problem can be shown on a terminal.
func sound(t *testing.T, e policy.Effective, problems []policy.Problem, err error) {
	t.Helper()
	if err == nil && len(problems) == 0 && (e.State == consent.PolicyUnreadable || len(e.Problems) > 0) {
		t.Fatalf("%s without a reason", e.State)
	}
	for _, p := range problems {
		if p.Wrong == "" || strings.ContainsAny(p.String(), "\x00\n\x1b") {
			t.Fatalf("%q", p.String())
		}
	}
	if err != nil && strings.ContainsAny(err.Error(), "\x00\n\x1b") {
		t.Fatalf("%q", err)
	}
}

// FuzzPlist: no property list ends the program, takes much memory, or is read in
// part. Planted: without the look at plist.MaxNodes in value the bomb never ends,
// nor does TestPreferencesMistakes.
func FuzzPlist(f *testing.F) {
	f.Add([]byte(goodPlist))
	f.Add(goodBinary())
	f.Add(selfish())
	f.Add(bomb())
	f.Add([]byte(plistHead + "<dict><key>AccessControl</key><string>denied</string></dict></plist>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, problems, err := judged(preferencesOf(raw))
		sound(t, e, problems, err)
	})
}

// FuzzRegistry: the same of what is read from the registry. The fuzzer's bytes
// are a tree as JSON.
func FuzzRegistry(f *testing.F) {
	raw, err := json.Marshal(goodRegistry())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"Values":[{"Name":"QuestionSeconds","Number":5}],"Keys":{"Languages":{"Values":[{"Name":"1","Text":"en"}]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var tree registryTree
		if json.Unmarshal(raw, &tree) != nil {
			return
		}
		files, problems := registryFiles(place, tree)
		e, problems, err := judged(files, problems, nil)
		sound(t, e, problems, err)
	})
}
