package mdm

import (
	"encoding/json"
	"fmt"
	"strings"

	"aval/agent/policy"
)

// Pages are the documents for administrators, one for each kind of device
// management, below docs/mdm, with the system that it manages.
var Pages = map[string]string{
	"intune.md": "windows", "gpo.md": "windows",
	"jamf.md":    "macos",
	"ansible.md": "linux", "puppet.md": "linux", "script.md": "linux",
}

// Place is a file, a folder, a variable or a property that roll-out has to do
// with, and what becomes of it.
type Place struct{ Name, Doc string }

// Properties are the public properties of the package for Windows.
var Properties = []Place{
	{"SERVERURL", "the company's server, where the token file names none"},
	{"TOKENFILE", "path of a token file that administrators alone can change: read once, by the service, and removed"},
	{"SETTINGSFILE", "path of a policy file (JSON) that administrators alone can change: its values become recommended values"},
	{"ACCESSCONTROL", "`allowed`, `denied` or `after-confirmation`, as a recommended value: it changes no choice that a person has made"},
	{"LANGUAGE", "the language for people whose own is none of Aval's, as a recommended value"},
	{"KEEPDATA", "`KEEPDATA=1` with `/x`: the service's data stays"},
}

// Variables are those of the environment that the packages for Linux know.
var Variables = []Place{
	{"AVAL_TOKEN_FILE", "when the package is installed: a token file, which only root can change and read; it is copied to the folder of token files, and yours to remove"},
	{"AVAL_ALLOW_DOWNGRADE", "`AVAL_ALLOW_DOWNGRADE=1` when an older deb is installed: it is not refused"},
	{"AVAL_PURGE", "`AVAL_PURGE=state` with `dpkg -P`: the state goes although events wait to be sent"},
}

// places are those of each system beside its properties and variables.
var places = map[string][]Place{
	"linux": {
		{"/etc/aval/policies/managed/*.json", "enforced values; root's alone to change, or the whole policy counts as unreadable and nothing is recorded"},
		{"/etc/aval/policies/recommended/*.json", "values that count until the person chooses"},
		{"/etc/aval/enroll.d/*.json", "token files, mode 0600; each is removed once it has been used"},
		{"/var/lib/aval", "the service's state, root's alone; never to be copied to another computer"},
		{"/run/aval/agent.sock", "the local API; `aval status --json` and `aval doctor --json` ask there"},
		{"/usr/share/aval/files", "sum, mode and group of each file as packed, for `aval doctor`"},
	},
	"windows": {
		{`HKLM\` + policy.RegistryKey, "enforced values"},
		{`HKLM\` + policy.RegistryKey + `\` + policy.Recommended, "values that count until the person chooses"},
		{`C:\ProgramData\Aval\enroll.d\*.json`, "token files; each is removed once it has been used"},
		{`C:\ProgramData\Aval`, "the service's state, closed to others; never to be copied to another computer"},
		{`C:\Program Files\Aval\aval.exe`, "`status --json` and `doctor --json` say how it is"},
	},
	"macos": {
		{policy.PreferenceDomain, "the domain of managed preferences: enforced values"},
		{policy.Recommended, "a dictionary in them: values that count until the person chooses"},
		{"/etc/aval/policies/managed/*.json", "enforced values as files; `recommended` beside it likewise"},
		{"/etc/aval/enroll.d/*.json", "token files; each is removed once it has been used"},
		{"/var/db/aval", "the service's state, root's alone; never to be copied to another computer"},
		{"/Library/Logs/Aval/aval.log", "what the service says; it begins a new one after 5 MB and keeps four older ones"},
		{"/opt/aval", "the programs; `bin/aval status --json` and `bin/aval doctor --json` say how they are, `uninstall` takes them away"},
	},
}

// table is a list in Markdown.
func table(head string, list []Place) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | what becomes of it |\n|---|---|\n", head)
	for _, p := range list {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Name, p.Doc)
	}
	return b.String()
}

// PropertyTable is what the pages say of the public properties, in Markdown.
func PropertyTable() string { return table("property of the package", Properties) }

// Reference is what a page says of every key, property and file, in Markdown.
func Reference(system string) string {
	var b strings.Builder
	b.WriteString("## Every key, property and file\n\n")
	switch system {
	case "windows":
		b.WriteString(PropertyTable() + "\n")
	case "linux":
		b.WriteString(table("variable of the environment", Variables) + "\n")
	}
	b.WriteString(table("place", places[system]))
	fmt.Fprintf(&b, "\nWhat a key does, and which values can allow something without a question: [policy.md](../policy.md).\n\n| key | written as | allowed | without it |\n|---|---|---|---|\n")
	for _, d := range offered() {
		byDefault := d.Default
		if byDefault == "" {
			byDefault = "empty"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, written(system, d), d.Allowed(), byDefault)
	}
	return b.String()
}

// written is an example of a key as the system's device management writes it.
func written(system string, d policy.Definition) string {
	v := d.ExampleValue()
	switch {
	case system == "windows" && d.Type == policy.List:
		return fmt.Sprintf("sub-key `%s` with `REG_SZ` 1, 2, …", d.Name)
	case system == "windows" && d.Type == policy.Number:
		return fmt.Sprintf("`REG_DWORD` %d", v.Number)
	case system == "windows":
		return "`REG_SZ` " + v.Text
	case system == "macos" && d.Type == policy.List:
		return "`<array>` of `<string>`"
	case system == "macos" && d.Type == policy.Number:
		return fmt.Sprintf("`<integer>%d</integer>`", v.Number)
	case system == "macos":
		return "`<string>" + v.Text + "</string>`"
	}
	var value any = v.Text
	switch d.Type {
	case policy.Number:
		value = v.Number
	case policy.List:
		value = append([]string{}, v.List...)
	}
	raw, _ := json.Marshal(map[policy.Name]any{d.Name: value}) // of texts and numbers: it cannot fail
	return "`" + string(raw) + "`"
}
