// Package event is the vocabulary of what can be recorded: the kinds of event,
// the fields of each, and the group of the question that covers it.
//
// It is PURE and a leaf. The one rule that must not be broken: a kind that has
// no group here is not captured, and a field that needs a further group is left
// out unless that group was granted too.
package event

import (
	"slices"
	"strings"
	"time"
)

// Group is one line of the question that the person can untick.
type Group string

// The groups, in the order in which the question shows them.
const (
	Windows  Group = "windows"  // programs and window titles
	Commands Group = "commands" // commands that are run
	Files    Group = "files"    // names of transferred and changed files
	System   Group = "system"   // installations, services, settings, errors of the system
	Chat     Group = "chat"     // the chat with support, notes
)

// Groups lists all groups in the order in which the question shows them.
var Groups = []Group{Windows, Commands, Files, System, Chat}

// ShowsDesktop tells whether events of the group show what happens on the whole
// desktop, and so concern every session that views it.
func (g Group) ShowsDesktop() bool { return g != Chat }

// Kind names one sort of event.
type Kind string

// The kinds. SessionStarted, SessionEnded and Gap are marks: facts about the
// recording itself, without captured text, that every grant covers.
const (
	SessionStarted Kind = "session-started"
	SessionEnded   Kind = "session-ended"
	Gap            Kind = "gap"

	WindowFocused   Kind = "window-focused"
	ProgramStarted  Kind = "program-started"
	ProgramEnded    Kind = "program-ended"
	CommandRun      Kind = "command-run"
	CommandEnded    Kind = "command-ended"
	ClipboardUsed   Kind = "clipboard-used"
	FileTransferred Kind = "file-transferred"
	FileChanged     Kind = "file-changed"
	PackageChanged  Kind = "package-changed"
	ServiceChanged  Kind = "service-changed"
	SettingChanged  Kind = "setting-changed"
	DeviceAttached  Kind = "device-attached"
	Restart         Kind = "restart"
	ErrorLogged     Kind = "error-logged"
	ChatMessage     Kind = "chat"
	Note            Kind = "note"
)

// Source says who can report a kind.
type Source string

// The sources of events.
const (
	FromAgent Source = "agent" // the agent itself
	FromOS    Source = "os"    // captured from the operating system
	FromTool  Source = "tool"  // reported by the remote tool: `aval session event`
)

// Field is one named value of an event.
type Field struct {
	Name string
	// Needs is a further group that must be granted for this field; empty: none.
	Needs Group
	// Text marks captured free text, which is redacted before anything is stored.
	Text bool
	// Max is the longest value in bytes; longer ones are cut at a character.
	Max int
	// Required fields must be present and not empty.
	Required bool
	// OneOf lists the only values allowed; empty: any.
	OneOf []string
	// Number: whole numbers alone, without a sign. It is not redacted, so nothing else
	// may stand there.
	Number bool
	// OTel is the attribute of OpenTelemetry's semantic conventions (1.37) that
	// means the same; empty: there is none.
	OTel string
	// Doc says what the value means.
	Doc string
}

// Counts tells whether v is a number as a Number field may hold it.
func (f Field) Counts(v string) bool {
	return v != "" && len(v) <= f.Max && strings.Trim(v, "0123456789") == ""
}

// Bare tells whether the field holds text that is recorded as it is: a word of the
// system's or of Aval's own.
func (f Field) Bare() bool { return !f.Text && !f.Number && len(f.OneOf) == 0 }

// Def defines a kind.
type Def struct {
	Kind   Kind
	Group  Group // empty for marks
	Source Source
	Fields []Field
	// OCSF is the class of the Open Cybersecurity Schema Framework (1.7) that an
	// export would use, with its activity; empty: there is none.
	OCSF string
	Doc  string
}

// Defs is the table of all kinds.
var Defs = []Def{
	{Kind: SessionStarted, Source: FromAgent, Fields: []Field{
		{Name: "tool", Max: 64, Required: true, Doc: "the remote tool"},
	}, Doc: "recording began: the first event of every stream"},
	{Kind: SessionEnded, Source: FromAgent, Fields: []Field{
		{Name: "reason", Max: 64, Required: true, Doc: "ended, lost, stopped, expired, withdrawn, policy (it became stricter) or unenrolled"},
		{Name: "events", Max: 20, Number: true, Doc: "how many events the stream holds, this one included"},
	}, Doc: "recording ended: the last event of every stream"},
	{Kind: Gap, Source: FromAgent, Fields: []Field{
		{Name: "reason", Max: 64, Required: true, Doc: "paused, resumed, other-session, indicator-lost, desktop-locked, agent-restarted, dropped, disk-full, narrowed, source-lost (a source of events ended), too-short (programs that ended before their command could be read)"},
		{Name: "count", Max: 20, Number: true, Doc: "how many events are missing, where that is known"},
	}, Doc: "something was not recorded, and why"},

	{Kind: WindowFocused, Group: Windows, Source: FromOS, Fields: []Field{
		{Name: "app", Text: true, Max: 128, Doc: "the application's name"},
		{Name: "program", Text: true, Max: 128, OTel: "process.executable.name", Doc: "base name of the executable"},
		{Name: "title", Text: true, Max: 300, Doc: "the window's title"},
	}, Doc: "a window came to the front or changed its title"},
	{Kind: ProgramStarted, Group: Windows, Source: FromOS, OCSF: "1007 Process Activity: Launch", Fields: started(Commands),
		Doc: "a program was started in the desktop session"},
	{Kind: ProgramEnded, Group: Windows, Source: FromOS, OCSF: "1007 Process Activity: Terminate", Fields: ended,
		Doc: "a program ended that had failed, run for 10 s or started 10 programs"},
	{Kind: ClipboardUsed, Group: Windows, Source: FromOS, Fields: []Field{
		{Name: "app", Text: true, Max: 128, Doc: "the application that copied"},
	}, Doc: "something was copied; never what"},
	{Kind: CommandRun, Group: Commands, Source: FromOS, OCSF: "1007 Process Activity: Launch", Fields: started(""),
		Doc: "a command was run in a terminal session"},
	{Kind: CommandEnded, Group: Commands, Source: FromOS, OCSF: "1007 Process Activity: Terminate", Fields: ended,
		Doc: "a command ended that had failed, run for 10 s or started 10 programs"},
	{Kind: FileTransferred, Group: Files, Source: FromTool, OCSF: "1001 File System Activity", Fields: []Field{
		{Name: "name", Text: true, Max: 300, Required: true, OTel: "file.name", Doc: "the file's name, never its content"},
		{Name: "direction", OneOf: []string{"to-computer", "from-computer"}, Max: 16, Doc: "seen from the remote computer"},
		{Name: "size", Max: 20, Number: true, OTel: "file.size", Doc: "bytes"},
	}, Doc: "the tool transferred a file"},
	{Kind: FileChanged, Group: Files, Source: FromOS, OCSF: "1001 File System Activity: Create, Update, Delete", Fields: []Field{
		{Name: "action", OneOf: []string{"created", "changed", "deleted"}, Max: 16, Required: true, Doc: "what happened to it"},
		{Name: "name", Text: true, Max: 300, Required: true, OTel: "file.path", Doc: "the file's path, never its content"},
		{Name: "count", Max: 20, Number: true, Doc: "how many in the same folder are told as one; name is the folder then"},
	}, Doc: "a file was created, changed or deleted in a folder that the session's commands worked in"},
	{Kind: PackageChanged, Group: System, Source: FromOS, OCSF: "6002 Application Lifecycle: Install, Remove", Fields: []Field{
		{Name: "action", OneOf: []string{"installed", "upgraded", "removed"}, Max: 16, Required: true, Doc: "what happened to it"},
		{Name: "name", Text: true, Max: 128, Required: true, Doc: "the package's name"},
		{Name: "version", Text: true, Max: 128, Doc: "the version that is, or was, installed"},
		{Name: "before", Text: true, Max: 128, Doc: "the version before an upgrade"},
	}, Doc: "a package was installed, upgraded or removed"},
	{Kind: ServiceChanged, Group: System, Source: FromOS, OCSF: "6002 Application Lifecycle: Start, Stop", Fields: []Field{
		{Name: "action", OneOf: []string{"started", "stopped", "restarted", "reloaded", "failed", "enabled", "disabled"}, Max: 16, Required: true, Doc: "what happened to it"},
		{Name: "name", Text: true, Max: 128, Required: true, Doc: "the service's name"},
	}, Doc: "a service of the system was started, stopped, enabled or disabled, or failed"},
	{Kind: SettingChanged, Group: System, Source: FromOS, OCSF: "5019 Device Config State Change", Fields: []Field{
		{Name: "setting", OneOf: []string{"network", "user", "time", "printers"}, Max: 16, Required: true, Doc: "what it is about"},
		{Name: "name", Text: true, Max: 300, OTel: "file.path", Doc: "the file or the key of the registry that holds it, never its content"},
	}, Doc: "a setting of the system was changed"},
	{Kind: DeviceAttached, Group: System, Source: FromOS, OCSF: "1010 Peripheral Activity", Fields: []Field{
		{Name: "class", Max: 64, Required: true, Doc: "the sort of device, as the system calls it"},
		{Name: "name", Text: true, Max: 128, Doc: "the device's name"},
	}, Doc: "a device was attached"},
	{Kind: Restart, Group: System, Source: FromOS, Fields: []Field{
		{Name: "stage", OneOf: []string{"requested"}, Max: 16, Required: true, Doc: "how far it has come"},
	}, Doc: "the computer was told to restart or to shut down"},
	{Kind: ErrorLogged, Group: System, Source: FromOS, OCSF: "1008 Event Log Activity", Fields: []Field{
		{Name: "program", Text: true, Max: 128, Required: true, OTel: "process.executable.name", Doc: "who reported it"},
		{Name: "text", Text: true, Max: 500, Doc: "the message"},
		{Name: "count", Max: 20, Number: true, Doc: "how many of this program are told as one"},
	}, Doc: "an error appeared in the system's log"},
	{Kind: ChatMessage, Group: Chat, Source: FromTool, Fields: []Field{
		{Name: "from", OneOf: []string{"supporter", "person"}, Max: 16, Doc: "who wrote it"},
		{Name: "text", Text: true, Max: 2000, Required: true, Doc: "the message"},
	}, Doc: "a message in the tool's chat"},
	{Kind: Note, Group: Chat, Source: FromTool, Fields: []Field{
		{Name: "text", Text: true, Max: 2000, Required: true, Doc: "the note"},
	}, Doc: "a note that the supporter wrote in the tool"},
}

// started are the fields of a start; needs is the group that the command line
// needs beside the kind's own.
func started(needs Group) []Field {
	return []Field{
		{Name: "program", Text: true, Max: 128, Required: true, OTel: "process.executable.name", Doc: "base name of the executable"},
		{Name: "command", Needs: needs, Text: true, Max: 1000, OTel: "process.command_line", Doc: "the command line, where it could still be read"},
		{Name: "count", Max: 20, Number: true, Doc: "how many alike are told as one"},
	}
}

// ended are the fields of an end.
var ended = []Field{
	{Name: "program", Text: true, Max: 128, Required: true, OTel: "process.executable.name", Doc: "base name of the executable"},
	{Name: "status", Max: 20, OTel: "process.exit.code", Doc: "exit status; 128 and the signal's number where one ended it"},
	{Name: "seconds", Max: 20, Number: true, Doc: "how long it ran"},
	{Name: "programs", Max: 20, Number: true, Doc: "how many programs it started to do its work"},
}

// Define returns the definition of k.
func Define(k Kind) (Def, bool) {
	i := slices.IndexFunc(Defs, func(d Def) bool { return d.Kind == k })
	if i < 0 {
		return Def{}, false
	}
	return Defs[i], true
}

// Mark tells whether k is a fact about the recording itself.
func (k Kind) Mark() bool { return k == SessionStarted || k == SessionEnded || k == Gap }

// TitleBefore stands in a window's title for one that it already had when
// recording began: what was on the screen before the yes is not covered by it.
const TitleBefore = "[title from before the answer]"

// Event is one thing that happened in a granted session.
type Event struct {
	// Session is TOOL/ID.
	Session string
	// Seq counts up from 1 without holes within one company's stream of a session.
	Seq  uint64
	Kind Kind
	// At is when it happened, UTC.
	At     time.Time
	Fields map[string]string
}

// Covered tells whether a grant for groups covers k.
func Covered(k Kind, groups []Group) bool {
	d, ok := Define(k)
	return ok && (k.Mark() || (d.Group != "" && slices.Contains(groups, d.Group)))
}
