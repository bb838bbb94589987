package viewmodel

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
)

// Tone is what an outcome is drawn with: each has a colour and a shape of its own.
type Tone int

// The tones.
const (
	ToneUnknown Tone = iota
	ToneAsking
	ToneAllowed
	ToneDenied
	ToneSilent // nobody answered
	ToneFailed // nobody could be asked
	TonePolicy
	ToneObjected
	ToneStopped
	ToneExpired
	ToneErased
)

var tones = map[consent.Outcome]Tone{
	consent.OutcomeAsking: ToneAsking, consent.OutcomeAllowed: ToneAllowed,
	consent.OutcomeRefused: ToneDenied, consent.OutcomeDenied: ToneDenied, consent.OutcomeNotRequested: ToneDenied,
	consent.OutcomeNoAnswer: ToneSilent, consent.OutcomeCouldNotAsk: ToneFailed,
	consent.OutcomeObjected: ToneObjected, consent.OutcomeWithdrawn: ToneStopped,
	consent.OutcomeExpired: ToneExpired, consent.OutcomeErased: ToneErased,
}

// Activity is one decision of the history in words.
type Activity struct {
	ID, Session string // as the service names them; not for the screen
	Day         string // the heading that it stands under
	Time        string
	Who, Tool   string
	Company     string
	Word        string // what happened
	Tone        Tone
	Facts       []string // the decision, a sentence a line

	Granted   bool // there may be items
	Recorded  bool // the decision stands in a signed record: there is a receipt
	Erased    bool
	Closed    bool // what has not left will not leave
	CanStop   bool
	CanDelete bool
	CanObject bool

	text string // folded, for Matches
}

// NewActivity puts the history into words, in the order in which the service
// gave it. live are the open sessions; now gives the day and the time zone.
func NewActivity(entries []ipc.ConsentEntry, live []ipc.SessionInfo, cat *assets.Catalog, now time.Time) []Activity {
	open := map[string]ipc.SessionInfo{}
	for _, s := range live {
		open[s.Session] = s
	}
	list := make([]Activity, len(entries))
	for i, e := range entries {
		list[i] = newActivity(e, open[e.Session], cat, now)
	}
	return list
}

func newActivity(e ipc.ConsentEntry, live ipc.SessionInfo, cat *assets.Catalog, now time.Time) Activity {
	at := e.At.In(now.Location())
	a := Activity{
		ID: e.ID, Session: e.Session, Day: day(cat, at, now), Time: at.Format("15:04"),
		Who: Clean(e.Supporter, maxName), Company: Clean(e.Company, maxName), Tool: toolName(cat, e.Tool),
		Word: Outcome(cat, e.Outcome), Tone: tones[e.Outcome],
		Erased: e.Outcome == consent.OutcomeErased,
	}
	if a.Who == "" {
		a.Who = cat.T("activity.nobody", nil)
	}
	if a.Company == "" {
		a.Company = cat.T("consent.company.unnamed", nil)
	}
	enforced := e.Basis == consent.BasisEnforcedPolicy
	a.Granted = e.Basis != consent.BasisNone
	a.Recorded = e.Outcome != consent.OutcomeAsking
	if e.Outcome == consent.OutcomeAllowed && (enforced || e.Basis == consent.BasisPolicy) {
		a.Word, a.Tone = cat.T("activity.word.policy", nil), TonePolicy
	}
	a.Closed = e.Outcome == consent.OutcomeWithdrawn || a.Erased
	a.CanStop = a.Granted && !enforced && !a.Closed && live.Session != "" && (live.Recording || live.Paused)
	a.CanDelete = a.Granted && !enforced && !a.Erased
	a.CanObject = a.Granted && enforced && e.Outcome != consent.OutcomeObjected

	fact := func(key, name, value string) {
		a.Facts = append(a.Facts, cat.T(key, assets.Args{name: value}))
	}
	a.Facts = append(a.Facts, cat.T("activity.fact.when", assets.Args{"date": date(cat, at), "time": at.Format("15:04:05")}))
	fact("activity.fact.company", "company", a.Company)
	fact("activity.fact.tool", "tool", a.Tool)
	fact("activity.fact.session", "session", Clean(e.Session, maxReaders))
	fact("activity.fact.reason", "reason", Reason(cat, e.Reason))
	if e.Ending != consent.EndingNone {
		fact("activity.fact.ending", "ending", Ending(cat, e.Ending))
	}
	if key := answeredBy(e); key != "" {
		a.Facts = append(a.Facts, cat.T(key, nil))
	}
	if line := endedBy(cat, e); line != "" {
		a.Facts = append(a.Facts, line)
	}
	var groups []string
	for _, g := range event.Groups {
		if key, known := groupKeys[g]; known && slices.Contains(e.Groups, g) {
			groups = append(groups, cat.T(key, nil))
		}
	}
	if len(groups) > 0 {
		fact("activity.fact.groups", "groups", strings.Join(groups, "; "))
	}
	switch {
	case a.Closed || live.Session == "":
	case live.Paused:
		a.Facts = append(a.Facts, cat.T("activity.now.paused", nil))
	case live.Recording:
		a.Facts = append(a.Facts, cat.T("activity.now.recording", nil))
	}
	switch {
	case e.Held && e.Outcome == consent.OutcomeWithdrawn:
		a.Facts = append(a.Facts, cat.T("activity.held.delete", nil))
	case e.Held:
		a.Facts = append(a.Facts, cat.T("activity.held", nil))
	}
	switch {
	case enforced && e.Outcome == consent.OutcomeObjected:
		a.Facts = append(a.Facts, cat.T("activity.objected", nil))
	case enforced:
		a.Facts = append(a.Facts, cat.T("activity.enforced", nil))
	}
	a.text = fold(strings.Join(append([]string{a.Day, a.Who, a.Word}, a.Facts...), "\n"))
	return a
}

// answeredBy is the text that says how sure it is who answered; empty: nobody did.
func answeredBy(e ipc.ConsentEntry) string {
	if e.Ending != consent.EndingAnsweredYes && e.Ending != consent.EndingAnsweredNo {
		return ""
	}
	switch e.Provenance {
	case consent.P3, consent.P2, consent.P1, consent.PX:
		return "activity.by." + string(e.Provenance)
	}
	return "activity.by.P0" // also what is not known: never more than is known
}

// handKeys are the texts for whose hand ended what was allowed.
var handKeys = map[consent.Outcome]string{consent.OutcomeWithdrawn: "activity.hand.withdrawn", consent.OutcomeErased: "activity.hand.erased",
	consent.OutcomeObjected: "activity.hand.objected"}

// endedBy says whose hand stopped, deleted or objected, in the words of the receipt;
// empty: nobody's, or it was not noted.
func endedBy(cat *assets.Catalog, e ipc.ConsentEntry) string {
	key := handKeys[e.Outcome]
	if key == "" || e.Hand == "" {
		return ""
	}
	whose := "receipt.hand.P0" // also what is not known: never more than is known
	switch e.Hand {
	case consent.P3, consent.P2, consent.P1:
		whose = "receipt.who." + string(e.Hand)
	case consent.PX:
		whose = "receipt.hand.PX"
	}
	return cat.T(key, assets.Args{"text": cat.T(whose, nil)})
}

// Matches tells whether the session's own texts contain query; upper and lower
// case and accents make no difference.
func (a Activity) Matches(query string) bool { return strings.Contains(a.text, fold(query)) }

func fold(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s)))
}

func toolName(cat *assets.Catalog, tool string) string {
	tool = Clean(tool, maxTool)
	if key, known := toolKeys[tool]; known {
		return cat.T(key, nil)
	}
	if tool == "" {
		return cat.T("consent.tool.unnamed", nil)
	}
	return tool
}

// date is the day of at as the language writes it.
func date(cat *assets.Catalog, at time.Time) string { return at.Format(cat.T("app.date.layout", nil)) }

func day(cat *assets.Catalog, at, now time.Time) string {
	d := date(cat, at)
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return cat.T("activity.today", assets.Args{"date": d})
	case at.Format(time.DateOnly) == now.AddDate(0, 0, -1).Format(time.DateOnly):
		return cat.T("activity.yesterday", assets.Args{"date": d})
	}
	return d
}

// Copies says what became of each copy, this computer's first.
func Copies(cat *assets.Catalog, copies []consent.Copy) []string {
	var lines []string
	for _, c := range copies {
		where := cat.T("receipt.copy.here", nil)
		if c.Where != consent.CopyHere {
			name := Clean(c.Company, maxName)
			if name == "" {
				name = cat.T("consent.company.unnamed", nil)
			}
			where = cat.T("receipt.copy.company", assets.Args{"company": name})
		}
		lines = append(lines, cat.T("receipt.copy", assets.Args{"where": where, "fate": word(cat, "receipt.fate.", fates, c.Fate)}))
	}
	return lines
}

var fates = []consent.CopyFate{consent.FateErased, consent.FateAsked, consent.FateConfirmed}
