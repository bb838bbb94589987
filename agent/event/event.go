// Package event is the vocabulary of what can be recorded: the kinds of event,
// the fields of each, and the group of the question that covers it.
//
// It is PURE and a leaf. The one rule that must not be broken: a kind that has
// no group here is not captured, and a field that needs a further group is left
// out unless that group was granted too.
package event

import (
	"slices"
	"time"
)

// Group is one line of the question that the person can untick.
type Group string

// The groups, in the order in which the question shows them.
const (
	Windows  Group = "windows"  // programs and window titles
	Commands Group = "commands" // commands that are run
	Files    Group = "files"    // names of transferred files
	System   Group = "system"   // installations, services, errors of the system
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
	CommandRun      Kind = "command-run"
	FileTransferred Kind = "file-transferred"
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
	// Doc says what the value means.
	Doc string
}

// Def defines a kind.
type Def struct {
	Kind   Kind
	Group  Group // empty for marks
	Source Source
	Fields []Field
	Doc    string
}

// Defs is the table of all kinds.
var Defs = []Def{
	{SessionStarted, "", FromAgent, []Field{
		{Name: "tool", Max: 64, Required: true, Doc: "the remote tool"},
	}, "recording began: the first event of every stream"},
	{SessionEnded, "", FromAgent, []Field{
		{Name: "reason", Max: 64, Required: true, Doc: "ended, lost, stopped, expired, withdrawn, policy (it became stricter) or unenrolled"},
		{Name: "events", Max: 20, Doc: "how many events the stream holds, this one included"},
	}, "recording ended: the last event of every stream"},
	{Gap, "", FromAgent, []Field{
		{Name: "reason", Max: 64, Required: true, Doc: "paused, resumed, other-session, indicator-lost, desktop-locked, agent-restarted, dropped, disk-full, narrowed"},
		{Name: "count", Max: 20, Doc: "how many events are missing, where that is known"},
	}, "something was not recorded, and why"},

	{WindowFocused, Windows, FromOS, []Field{
		{Name: "app", Text: true, Max: 128, Doc: "the application's name"},
		{Name: "program", Text: true, Max: 128, Doc: "base name of the executable"},
		{Name: "title", Text: true, Max: 300, Doc: "the window's title"},
	}, "a window came to the front or changed its title"},
	{ProgramStarted, Windows, FromOS, []Field{
		{Name: "program", Text: true, Max: 128, Required: true, Doc: "base name of the executable"},
		{Name: "command", Needs: Commands, Text: true, Max: 1000, Doc: "the command line, where it could still be read"},
	}, "a program was started in the desktop session"},
	{CommandRun, Commands, FromOS, []Field{
		{Name: "program", Text: true, Max: 128, Required: true, Doc: "base name of the executable"},
		{Name: "command", Text: true, Max: 1000, Doc: "the command line, where it could still be read"},
	}, "a command was run in a terminal session"},
	{FileTransferred, Files, FromTool, []Field{
		{Name: "name", Text: true, Max: 300, Required: true, Doc: "the file's name, never its content"},
		{Name: "direction", OneOf: []string{"to-computer", "from-computer"}, Max: 16, Doc: "seen from the remote computer"},
		{Name: "size", Max: 20, Doc: "bytes"},
	}, "the tool transferred a file"},
	{ChatMessage, Chat, FromTool, []Field{
		{Name: "from", OneOf: []string{"supporter", "person"}, Max: 16, Doc: "who wrote it"},
		{Name: "text", Text: true, Max: 2000, Required: true, Doc: "the message"},
	}, "a message in the tool's chat"},
	{Note, Chat, FromTool, []Field{
		{Name: "text", Text: true, Max: 2000, Required: true, Doc: "the note"},
	}, "a note that the supporter wrote in the tool"},
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
