// Package viewmodel turns what the service says into what a person reads:
// every text of the question, the arming delay, and reasons in words.
//
// It is PURE: no clock, no files, no window toolkit; the question's window and
// the native dialogs show what it gives. The one rule that must not be broken:
// text from outside reaches the screen only through Clean, and never as a key,
// as markup or as a format.
package viewmodel

import (
	"net/netip"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
)

// The longest texts from outside, in characters; what is longer ends in "…".
const (
	maxName    = 64
	maxTool    = 40
	maxAddress = 64
	maxReaders = 120
	maxEngine  = 60
	maxHost    = 100
)

// Ask is everything that a question shows, in one language. Nothing in it
// changes while it is shown, except what Countdown says.
type Ask struct {
	Locale string // of the catalogue, for the record

	Title string
	Who   string // supporter and company
	// Verified is whether Vouch says that the name is vouched for.
	Verified bool
	Vouch    string // "name verified by …" or "name given by support, not verified"
	Since    string // for how long the supporter has been connected; empty: unknown
	Via      string // by which tool, from where

	Purposes        []string // one sentence for each company that asks
	RecordedHead    string
	Groups          []Group // in the order of the question
	NotRecordedHead string
	NotRecorded     []string

	// Further is the line, unticked at first, that lets the answer hold for
	// further sessions; empty: that is not offered.
	Further string

	Readers  []string // who reads it, then for how long it is kept, for each company
	IfNot    string
	Stop     string
	Footnote string

	More, Less string   // what unfolds and folds the details
	Details    []string // the details
	Models     []string // of them: which models write, and where

	Deny, Allow string
	Arming      string // what the buttons say while they do not count yet
	NoGroups    string // why Allow cannot be chosen with nothing ticked
	Remote      string // why an answer did not count: no hand here gave it
	Covered     string // why nothing can be answered while another window is in front
	Language    string // the name of this language, in it

	// AnswerFor is how long an answer is awaited; 0: nothing is counted down.
	AnswerFor time.Duration

	// Leave: it is the question after the supporter has left. Who is then what
	// was recorded, Purposes why it is asked, and More shows the recording.
	Leave       bool
	until       string // what Countdown says instead of the time left
	closingLast string // what closing a native dialog means

	recorded, notRecorded string // the two lists as sentences, for Text
	cat                   *assets.Catalog
}

// Group is one line that can be unticked.
type Group struct {
	Group event.Group
	Text  string
}

// Catalog picks the language: what the person chose in the settings, otherwise
// that of their desktop, where it is one of ours, otherwise the first that the
// policy names, otherwise English. A policy must not make the question unreadable
// to the one who is asked.
func Catalog(q ipc.Question, locale string) *assets.Catalog {
	return assets.For(append([]string{q.Language, locale}, q.Languages...)...)
}

// New composes the question q in the language of cat. now is when it is shown:
// the time since the connection is counted from it once, so that nothing moves
// while it is read.
func New(q ipc.Question, cat *assets.Catalog, now time.Time) Ask {
	a := Ask{
		Locale:          cat.Lang,
		Title:           cat.T("consent.title", nil),
		RecordedHead:    cat.T("consent.recorded", nil),
		NotRecordedHead: cat.T("consent.notrecorded", nil),
		IfNot:           cat.T("consent.ifnot", nil),
		Stop:            cat.T("consent.stop", nil),
		Footnote:        cat.T("consent.footnote", nil),
		More:            cat.T("consent.more", nil),
		Less:            cat.T("consent.less", nil),
		Deny:            cat.T("consent.deny", nil),
		Allow:           cat.T("consent.allow", nil),
		Arming:          cat.T("consent.arming", nil),
		NoGroups:        cat.T("consent.nogroups", nil),
		Covered:         cat.T("consent.covered", nil),
		Remote:          cat.T("consent.remote", nil),
		Language:        cat.T("consent.language.name", nil),
		AnswerFor:       time.Duration(q.AnswerSeconds) * time.Second,
		cat:             cat,
	}
	if q.Leave != nil {
		return leave(a, q, cat, now)
	}
	a.who(q, cat)
	a.Since = since(cat, now.Sub(q.ConnectedAt), q.ConnectedAt.IsZero())
	a.Via = via(cat, q)
	a.lists(q, cat)
	scope := "consent.more.scope"
	if q.AllowMinutes > 0 {
		a.Further, scope = further(cat, q), "consent.more.scope.further"
	}

	for i, c := range q.Companies {
		name := companyName(c, cat)
		a.Purposes = append(a.Purposes, purpose(cat, c.Engine, name))
		a.Readers = append(a.Readers, readers(cat, c, name), kept(cat, c.RetentionDays))
		if i >= 8 {
			break // more companies than any session has: the rest would only push the buttons away
		}
		if says := modelOf(cat, c.Engine); says != "" {
			a.Models = append(a.Models, says)
		}
	}
	for _, key := range []string{"consent.more.before", scope, "consent.more.indicator",
		"consent.more.proof", "consent.more.close"} {
		a.Details = append(a.Details, cat.T(key, nil))
	}
	a.Details = append(a.Details, a.Models...)
	a.Details = append(a.Details, cat.T("consent.more.aval", nil))
	return a
}

// further says for how long the person need not be asked again, and for whom.
func further(cat *assets.Catalog, q ipc.Question) string {
	args := assets.Args{"supporter": Clean(q.Supporter, maxName)}
	if q.AllowMinutes%60 == 0 {
		return cat.N("consent.further.hours", q.AllowMinutes/60, args)
	}
	return cat.N("consent.further.minutes", q.AllowMinutes, args)
}

// modelOf says which model writes, and whether what is recorded is sent to
// somebody else for that; empty: none does.
func modelOf(cat *assets.Catalog, engine string) string {
	model, host := consent.SplitEngine(engine)
	args := assets.Args{"engine": Clean(model, maxEngine), "host": Clean(host, maxHost)}
	switch {
	case args["engine"] == "":
		return ""
	case host == consent.EngineHere:
		return cat.T("consent.more.model.here", args)
	case args["host"] != "":
		return cat.T("consent.more.model.outside", args)
	}
	return cat.T("consent.more.model", args)
}

func (a *Ask) who(q ipc.Question, cat *assets.Catalog) {
	company, companyVerified := cat.T("consent.company.unnamed", nil), false
	if len(q.Companies) > 0 {
		company, companyVerified = companyName(q.Companies[0], cat), q.Companies[0].Verified
		if q.Companies[0].Host != "" {
			a.guest(q, q.Companies[0], cat)
			return
		}
	}
	name := Clean(q.Supporter, maxName)
	args := assets.Args{"supporter": name, "company": company}
	switch {
	case name == "":
		a.Who = cat.T("consent.who.unnamed", args)
		a.Vouch = cat.T("consent.unverified.none", nil)
		return // nothing that could be vouched for
	case isAddress(name):
		args["address"] = name
		a.Who = cat.T("consent.who.address", args)
		a.Vouch = cat.T("consent.unverified.none", nil)
		return
	default:
		a.Who = cat.T("consent.who", args)
	}
	switch {
	case q.SupporterVerified && companyVerified:
		a.Verified = true
		a.Vouch = cat.T("consent.verified", args)
	case companyVerified:
		a.Vouch = cat.T("consent.unverified", nil)
	default:
		a.Vouch = cat.T("consent.unverified.both", nil)
	}
}

// guest says who asks that does not manage this computer, by a session code or for
// an account: the server, whose name TLS has verified,
// stands first, and the name that the company gives itself after it, as given.
func (a *Ask) guest(q ipc.Question, c ipc.QuestionCompany, cat *assets.Catalog) {
	args := assets.Args{"supporter": Clean(q.Supporter, maxName), "company": companyName(c, cat)}
	name, unverified := Clean(q.Supporter, maxName), "consent.unverified"
	switch {
	case name == "":
		a.Who, unverified = cat.T("consent.who.unnamed", args), "consent.unverified.none"
	case isAddress(name):
		args["address"] = name
		a.Who, unverified = cat.T("consent.who.address", args), "consent.unverified.none"
	default:
		a.Who = cat.T("consent.who", args)
	}
	key := "consent.guest"
	if c.Account {
		key = "consent.account"
	}
	pinned := key + ".pinned"
	if c.Module {
		pinned = "consent.module.pinned"
	}
	if c.First {
		key += ".first"
	}
	given := Clean(c.Name, maxName)
	if given == "" {
		given = cat.T("consent.company.unnamed", nil)
	}
	a.Vouch = cat.T(key, assets.Args{"company": given})
	if c.Pinned {
		a.Vouch = cat.List(a.Vouch, cat.T(pinned, assets.Args{"host": companyName(c, cat)}))
	}
	if !q.SupporterVerified {
		a.Vouch = cat.List(a.Vouch, cat.T(unverified, nil))
	}
}

// isAddress tells whether a tool gave an address where a name belongs, as x11vnc does.
func isAddress(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}

// companyName is what a company is called: one that asks by a session code by its
// server, for its name is only its own word.
func companyName(c ipc.QuestionCompany, cat *assets.Catalog) string {
	if host := Clean(c.Host, maxName); host != "" {
		return host
	}
	if name := Clean(c.Name, maxName); name != "" {
		return name
	}
	return cat.T("consent.company.unnamed", nil)
}

func since(cat *assets.Catalog, d time.Duration, unknown bool) string {
	switch {
	case unknown:
		return ""
	case d < time.Second: // also a clock that was set back
		return cat.T("consent.since.now", nil)
	case d < time.Minute:
		return cat.N("consent.since.seconds", int(d/time.Second), nil)
	case d < time.Hour:
		return cat.N("consent.since.minutes", int(d/time.Minute), nil)
	}
	return cat.N("consent.since.hours", int(d/time.Hour), nil)
}

// toolKeys are the tools whose everyday name is known.
var toolKeys = map[string]string{"x11vnc": "consent.tool.x11vnc", "sshd": "consent.tool.sshd", "support": "consent.tool.support"}

func via(cat *assets.Catalog, q ipc.Question) string {
	tool := Clean(q.Tool, maxTool)
	if key, known := toolKeys[tool]; known {
		tool = cat.T(key, nil)
	} else if tool == "" {
		tool = cat.T("consent.tool.unnamed", nil)
	}
	address := Clean(q.Address, maxAddress)
	if address == "" || address == Clean(q.Supporter, maxName) {
		return cat.T("consent.via", assets.Args{"tool": tool})
	}
	return cat.T("consent.via.address", assets.Args{"tool": tool, "address": address})
}

var groupKeys = map[event.Group]string{
	event.Windows:  "consent.group.windows",
	event.Commands: "consent.group.commands",
	event.Files:    "consent.group.files",
	event.System:   "consent.group.system",
	event.Chat:     "consent.group.chat",
}

// lists fills what is recorded and what is not. A group without a text of its
// own is not offered: nobody can allow what is not said.
func (a *Ask) lists(q ipc.Question, cat *assets.Catalog) {
	offered := map[event.Group]bool{}
	for _, g := range q.Offered {
		offered[g] = true
	}
	var items []string
	for _, g := range event.Groups {
		if key, known := groupKeys[g]; known && offered[g] {
			a.Groups = append(a.Groups, Group{g, cat.T(key, nil)})
			items = append(items, cat.T(key, nil))
		}
	}
	a.recorded = cat.T("consent.native.recorded", assets.Args{"items": cat.List(items...)})
	for _, key := range []string{"consent.not.typed", "consent.not.screen", "consent.not.contents", "consent.not.secrets"} {
		a.NotRecorded = append(a.NotRecorded, cat.T(key, nil))
	}
	a.notRecorded = cat.T("consent.native.notrecorded", assets.Args{"items": cat.List(a.NotRecorded...)})
}

func purpose(cat *assets.Catalog, engine, company string) string {
	key := "consent.purpose.ai"
	switch {
	case engine == consent.EngineRules:
		key = "consent.purpose.rules"
	case Clean(engine, maxEngine) == "":
		key = "consent.purpose.unknown"
	}
	return cat.T(key, assets.Args{"company": company})
}

func readers(cat *assets.Catalog, c ipc.QuestionCompany, company string) string {
	if named := strings.TrimRight(Clean(c.Readers, maxReaders), ". "); named != "" {
		return cat.T("consent.readers", assets.Args{"readers": named})
	}
	return cat.T("consent.readers.team", assets.Args{"company": company})
}

func kept(cat *assets.Catalog, days int) string {
	if days <= 0 {
		return cat.T("consent.kept.unknown", nil)
	}
	return cat.N("consent.kept", days, nil)
}

// Countdown says how much time is left, in whole seconds, rounded up so that it
// never says less than there is.
func (a Ask) Countdown(left time.Duration) string {
	if a.Leave {
		return a.until
	}
	s := int((left + time.Second - 1) / time.Second)
	switch {
	case s <= 0:
		return a.cat.T("consent.left.over", nil)
	case s <= 99:
		return a.cat.N("consent.left.seconds", s, nil)
	}
	return a.cat.T("consent.left.minutes", assets.Args{"m": s / 60, "s": s % 60})
}
