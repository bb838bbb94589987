// Package policy knows the settings that a company may assign to a managed
// device: their names, what each may be, how several sources of them are
// merged, and where every value came from. It also decodes and answers the
// lines of `aval explain`.
//
// It is PURE but for the reader and writer that Explain is given. The one rule
// that must not be broken: a policy that is not wholly understood is not a
// policy. One unknown name or value makes the whole of it unreadable, and
// between two enforced values the stricter wins, wherever it comes from.
package policy

import (
	"slices"
	"strings"
)

// Name is the name of a key, as files, the registry and the server spell it.
type Name string

// The keys.
const (
	Reporting         Name = "Reporting"
	Insights          Name = "Insights"
	AccessControl     Name = "AccessControl"
	QuestionSeconds   Name = "QuestionSeconds"
	AllowMinutes      Name = "AllowMinutes"
	AskAgainMinutes   Name = "AskAgainMinutes"
	AcceptUnproven    Name = "AcceptUnproven"
	RecordGroups      Name = "RecordGroups"
	AlsoRemove        Name = "AlsoRemove"
	Languages         Name = "Languages"
	SSHAccounts       Name = "SSHAccounts"
	SSHGroups         Name = "SSHGroups"
	SSHKeys           Name = "SSHKeys"
	TestAnswerDevices Name = "TestAnswerDevices"
)

// Where device management puts values beside files.
const (
	// RegistryKey holds enforced values, below HKEY_LOCAL_MACHINE.
	RegistryKey = `SOFTWARE\Policies\Aval`
	// PreferenceDomain is the domain of managed preferences on macOS: the id in
	// FyneApp.toml. Values in it are enforced.
	PreferenceDomain = "aval.Aval"
	// Recommended is the sub-key of RegistryKey, and the dictionary in the
	// preferences, with the values that are not enforced.
	Recommended = "Recommended"
)

// Type is the type of a key's value.
type Type string

// The types.
const (
	Choice Type = "choice" // one word out of a list
	Number Type = "number" // a whole number within bounds
	List   Type = "list"   // a list of texts, each once
)

// Limits of a list's value.
const (
	MaxEntries = 256 // entries
	MaxEntry   = 256 // bytes in one entry
)

// Definition says everything about one key.
type Definition struct {
	Name Name
	Type Type
	// Choices are the words of a Choice, the strictest first.
	Choices []string
	// Min and Max bound a Number; both count.
	Min, Max int
	// Smaller marks a Number of which the smaller is the stricter.
	Smaller bool
	// Default is the value in force where no source sets the key, as String
	// writes it; for a Choice it may be unset, which no source can set.
	Default string
	// Entry checks one entry of a List and says what is allowed.
	Entry func(string) (allowed string, ok bool)
	// Pattern is Entry as a regular expression that JSON Schema understands
	// (ECMA-262); it matches every entry that Entry takes.
	Pattern string
	// Example is a value that allows nothing without a question, as String
	// writes it; empty: Default is one.
	Example string
	// Narrows marks a List whose every entry makes more count: a list without
	// an entry is then stricter than one with it.
	Narrows bool
	// Allows are the values that can turn into an allow without a question, or
	// into one that nobody is known to have given; "*" stands for every value
	// but an empty list and 0.
	Allows []string
	// Test marks what is meant for test installations only.
	Test bool
	// Doc is a sentence for administrators.
	Doc string
}

// Bounds of the numbers.
const (
	minSeconds  = 10
	maxSeconds  = 300
	minAskAgain = 5
	// maxMinutes is how long a session is recorded at most without a new
	// decision: 8 hours (record.MaxGrantAge).
	maxMinutes = 480
)

// plainPattern is plainText for JSON Schema, which knows no classes of characters.
const plainPattern = `^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$`

var definitions = []Definition{
	{Name: Reporting, Type: Choice, Choices: []string{"off", "on"}, Default: "unset", Example: "off", Allows: []string{"on"},
		Doc: "Whether connections to this device are reported. Session Insights for incoming connections need `on` where the company limits them to devices with an assigned policy; `off` excludes the device."},
	{Name: Insights, Type: Choice, Choices: []string{"off", "on"}, Default: "unset", Example: "off", Allows: []string{"on"},
		Doc: "Session Insights for incoming connections. `on` and enforced: sessions of the company that manages the device are recorded with a notice instead of a question. `off` excludes the device."},
	{Name: AccessControl, Type: Choice, Choices: []string{"denied", "after-confirmation", "allowed"}, Default: "unset", Example: "after-confirmation", Allows: []string{"allowed"},
		Doc: "Access control for Session Insights on this device. Enforced it replaces what the person chose; recommended it is the value for people who have not chosen."},
	{Name: QuestionSeconds, Type: Number, Min: minSeconds, Max: maxSeconds, Default: "30",
		Doc: "How many seconds the question waits for an answer once it is shown. Without an answer nothing is recorded."},
	{Name: AllowMinutes, Type: Number, Min: 0, Max: maxMinutes, Smaller: true, Default: "0", Allows: []string{"*"},
		Doc: "How many minutes the question may offer a yes to last for further sessions of the same supporter and company with the same groups of events, so that a restart in the middle of a job does not ask again. The person chooses it and can take it back. 0: a yes is for one session and no more is offered."},
	{Name: AskAgainMinutes, Type: Number, Min: minAskAgain, Max: maxMinutes, Smaller: true, Default: "480",
		Doc: "After how many minutes of recording a session is decided, and where needed asked, again."},
	{Name: AcceptUnproven, Type: Choice, Choices: []string{"off", "on"}, Default: "off", Allows: []string{"on"},
		Doc: "Whether a yes counts at once although it is not certain that the person gave it: native dialogs and remote desktops cannot show who clicked. `off`: what is recorded stays on the computer until the supporter has left, and then the person is asked whether to send or delete it."},
	{Name: RecordGroups, Type: List, Default: "windows, commands, files, system, chat", Entry: groupName, Pattern: "^(windows|commands|files|system|chat)$", Narrows: true,
		Doc: "Groups of events that may be recorded. A group that is left out is neither offered nor recorded; an empty list: nothing is recorded."},
	{Name: AlsoRemove, Type: List, Default: "", Entry: expression, Pattern: "^[^\\x00-\\x1f\\x7f]+$", Example: `PRJ-\d{4}`,
		Doc: "Regular expressions (RE2) of what is taken out of captured text before it is stored, beside what is always taken out. The lists of all sources count together; none takes anything away."},
	{Name: Languages, Type: List, Default: "", Entry: languageTag, Pattern: "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", Example: "pt-BR, en",
		Doc: "Languages of the question where the language of the person's desktop is none of ours, best first, as BCP 47 tags; they stand first in its language menu."},
	{Name: SSHAccounts, Type: List, Default: "", Entry: plainText, Pattern: plainPattern, Example: "support", Narrows: true,
		Doc: "Accounts of this device whose OpenSSH logins with a terminal count as support sessions."},
	{Name: SSHGroups, Type: List, Default: "", Entry: plainText, Pattern: plainPattern, Example: "support-team", Narrows: true,
		Doc: "Groups of this device whose members' OpenSSH logins with a terminal count as support sessions."},
	{Name: SSHKeys, Type: List, Default: "", Entry: fingerprint, Pattern: "^SHA256:[A-Za-z0-9+/]{43}$", Example: "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg", Narrows: true,
		Doc: "Fingerprints of the SSH keys whose logins with a terminal count as support sessions, as `ssh-keygen -l` prints them."},
	{Name: TestAnswerDevices, Type: List, Default: "", Entry: plainText, Pattern: plainPattern, Narrows: true, Allows: []string{"*"}, Test: true,
		Doc: "For test installations only: names of input devices whose clicks count as those of a person although they are not hardware. Only a policy file's value counts. Grants that come out of them are marked as tests."},
}

// Definitions lists all keys in the order in which people are shown them.
func Definitions() []Definition { return slices.Clone(definitions) }

// Define returns the definition of name. Upper and lower case count.
func Define(name Name) (Definition, bool) {
	i := slices.IndexFunc(definitions, func(d Definition) bool { return d.Name == name })
	if i < 0 {
		return Definition{}, false
	}
	return definitions[i], true
}

// ExampleValue is a value of the key that allows nothing without a question, for
// samples.
func (d Definition) ExampleValue() Value {
	if d.Example == "" {
		return d.defaultValue()
	}
	d.Default = d.Example
	return d.defaultValue()
}

// AllowsUnasked tells whether v can turn into an allow without a question, so
// that it counts only from where the company's release key vouches for it.
func (d Definition) AllowsUnasked(v Value) bool {
	if slices.Contains(d.Allows, "*") {
		return len(v.List) > 0 || v.Text != "" || v.Number != 0
	}
	return slices.Contains(d.Allows, v.Text)
}

// Allowed says in words what the key may be.
func (d Definition) Allowed() string {
	switch d.Type {
	case Choice:
		return strings.Join(d.Choices, ", ")
	case Number:
		return "a whole number from " + itoa(d.Min) + " to " + itoa(d.Max)
	}
	what := "texts"
	if d.Entry != nil {
		what, _ = d.Entry("")
	}
	return "a list of " + what
}
