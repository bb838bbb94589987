package agent

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"aval/agent/capture"
	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/store"
)

// decided is a decision with all that it rests on.
type decided struct {
	Company       string            `json:"company"`
	CompanyName   string            `json:"company_name"`
	CompanyHost   string            `json:"company_host,omitempty"`
	Request       string            `json:"request,omitempty"`
	Direction     consent.Direction `json:"direction"`
	Input         consent.Input     `json:"input"`
	Decision      consent.Decision  `json:"decision"`
	Narrowed      record.Narrowed   `json:"narrowed,omitempty"` // see record.Decided
	PolicyOrigin  string            `json:"policy_origin"`
	PolicySHA256  string            `json:"policy_sha256"`
	PolicyVersion int64             `json:"policy_version"`
	// ServerReleases: see record.Decided.
	ServerReleases bool          `json:"server_releases,omitempty"`
	Subject        string        `json:"subject"`
	Subjects       []string      `json:"subjects,omitempty"` // see record.Decided
	Desktop        string        `json:"desktop"`
	Engine         string        `json:"engine"`
	RetentionDays  int           `json:"retention_days"`
	Offered        []event.Group `json:"offered"`
	// AllowMinutes is for how long the question offers to allow further sessions.
	AllowMinutes int       `json:"allow_minutes,omitempty"`
	At           time.Time `json:"at"`
}

// decide collects the input, decides, and does what follows from it.
func (a *Agent) decide(l *live) {
	targets, state := a.viewed(l)
	in := consent.Input{
		Outgoing: consent.OutgoingOff, Incoming: consent.IncomingOff,
		PolicyState: consent.PolicyNone, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset,
		AccessControl: consent.AccessUnset, Local: consent.AccessUnset, Desktop: state,
	}
	d := &decided{At: time.Now().UTC(), PolicyOrigin: "none"}
	c := a.asker(l)
	if c != nil {
		d.Company, d.CompanyName, d.CompanyHost = c.Company, c.CompanyName, c.host()
		d.Engine, d.RetentionDays, d.PolicyVersion = c.options.Engine, c.options.RetentionDays, c.options.Version
		d.ServerReleases = c.trust().ServerReleases()
		if c.Account != nil {
			in.ManagedByRequester = a.isTheirs(c, l, targets)
		}
		d.Request = l.Request
		if g := c.guest; g != nil {
			d.Request = g.request.ID
		}
	}
	subjects := a.subjects(l, targets, record.Decided{CompanyHost: d.CompanyHost, Request: d.Request})
	if d.Subject = subjects[0]; len(subjects) > 1 {
		d.Subjects = subjects
	}
	a.policyNow()
	a.fillFor(c, l, &in, d.At)
	d.Input, d.Decision = a.forCompany(l, targets, in)
	d.Direction = d.Input.Direction
	d.PolicyOrigin, d.PolicySHA256 = a.origin(c)
	l.desktops = nil
	for _, t := range targets {
		l.desktops = append(l.desktops, t.id)
	}
	if len(targets) == 0 { // what it may view all the same, so that it blocks others there
		l.desktops = a.mayView(l)
	}
	d.Desktop = join(l.desktops)
	deliver := a.offers(l, targets)
	d.Offered = slices.DeleteFunc(slices.Clone(deliver), func(g event.Group) bool { return !a.policy.Effective.MayRecord(g) })
	permitted := len(d.Offered)
	if d.Decision.Basis != consent.BasisEnforcedPolicy {
		d.Offered = a.chosen(l, d.Offered)
	}
	if (d.Decision.Verdict == consent.Ask || d.Decision.Verdict == consent.Allow) && len(d.Offered) == 0 {
		d.Narrowed = record.NarrowedToNothing
		d.Decision = consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonDesktopUnreachable}
		switch {
		case permitted > 0:
			d.Decision.Reason = consent.ReasonDeniedBySetting
		case len(deliver) > 0:
			d.Decision.Reason = consent.ReasonDeniedByPolicy
		}
	}
	l.decided = d
	a.log.Info("decided", "session", l.Name, "verdict", d.Decision.Verdict, "reason", d.Decision.Reason, "desktop", d.Desktop)
	switch d.Decision.Verdict {
	case consent.Ask:
		if y, groups := a.remembered(l, targets); y != nil {
			a.allowAgain(l, y, groups)
			break
		}
		d.AllowMinutes = a.mayAllowFor(l, targets)
		a.ask(l, targets)
	case consent.Allow:
		l.outcome = consent.OutcomeAllowed
		a.grant(l, d.Decision.Basis, d.Offered, nil, "", false)
	default:
		l.outcome = d.Decision.Outcome()
		a.writeOutcome(l, nil, "")
		a.settled(l)
	}
	a.gateAll()
}

// forCompany decides for the company that this device is enrolled with: as the
// one that manages the device, whoever connects, and only where that asks for
// nothing as the one whose people connect. One of both is recorded, never both.
func (a *Agent) forCompany(l *live, targets []*desktop, in consent.Input) (consent.Input, consent.Decision) {
	in.Direction = consent.Incoming
	in.Local = a.localSetting(l, targets, in)
	d := consent.Decide(in)
	if d.Verdict == consent.NotRequested {
		in.Direction = consent.Outgoing
		in.Local = a.localSetting(l, targets, in)
		d = consent.Decide(in)
	}
	return in, d
}

// localSetting is the value of the person whose desktop is viewed; where that is
// unknown, the strictest of those who may be.
func (a *Agent) localSetting(l *live, targets []*desktop, in consent.Input) consent.AccessControl {
	var values []consent.AccessControl
	for _, uid := range a.people(l, targets) {
		values = append(values, a.store.Setting(uid).Value)
	}
	return consent.Strictest(in, values...)
}

// people are the users whose desktops a session may view: those who can be
// asked, else those at whose desktops nobody can; a locked screen has its person
// too. The account of a terminal login is the one.
func (a *Agent) people(l *live, targets []*desktop) []uint32 {
	if l.Login != nil {
		return []uint32{l.Login.UID}
	}
	var uids []uint32
	for _, d := range a.desktops {
		if slices.Contains(targets, d) || len(targets) == 0 && l.mayView(d.uid, d.id, d.reg.Display) {
			uids = append(uids, d.uid)
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// subjects are whom the record of a decision is about; where nobody is, who began
// the session.
func (a *Agent) subjects(l *live, targets []*desktop, of record.Decided) []string {
	var out []string
	for _, uid := range a.people(l, targets) {
		out = append(out, a.subjectIn(uid, of))
	}
	if len(out) == 0 {
		out = append(out, a.subjectIn(l.Owner, of))
	}
	return out
}

// mayView lists the desktops that a session may view though nobody there could
// be asked: a denial there must keep other sessions from showing them.
func (a *Agent) mayView(l *live) []string {
	var ids []string
	for _, d := range a.desktops {
		if l.mayView(d.uid, d.id, d.reg.Display) {
			ids = append(ids, d.id)
		}
	}
	if len(ids) == 0 && l.Desktop != "" {
		ids = append(ids, l.Desktop)
	}
	slices.Sort(ids)
	return ids
}

// offers are the groups that this computer and every one of the desktops can
// deliver; a terminal login shows no windows.
func (a *Agent) offers(l *live, targets []*desktop) []event.Group {
	var out []event.Group
	for _, g := range capture.Delivers() {
		if l.Login != nil && g == event.Windows {
			continue
		}
		if l.Login == nil && slices.ContainsFunc(targets, func(d *desktop) bool { return !slices.Contains(d.reg.Offers, g) }) {
			continue
		}
		out = append(out, g)
	}
	return out
}

// head is the start of a new record about l.
func (a *Agent) head(l *live) record.Head {
	h := record.Head{V: 1, ID: ulid.Make().String(), At: time.Now().UTC(), Session: l.Name}
	if l.decided != nil {
		h.Company = l.decided.Company
	}
	if c := a.asker(l); c != nil {
		h.Device = c.Device
	}
	return h
}

// body is what the record says of the decision.
func (a *Agent) body(l *live, asked *record.Asked, by consent.Provenance) record.Decided {
	d := l.decided
	return record.Decided{
		Tool: l.Tool, Supporter: l.Supporter, SupporterVerified: l.Verified, SupporterID: l.Identity, CompanyName: d.CompanyName, CompanyHost: d.CompanyHost, Request: d.Request,
		Direction: d.Direction, Input: d.Input, Decision: d.Decision, Narrowed: d.Narrowed, Outcome: l.outcome, Ending: l.ending,
		Provenance: by, PolicyOrigin: d.PolicyOrigin, PolicySHA256: d.PolicySHA256, PolicyVersion: d.PolicyVersion, ServerReleases: d.ServerReleases,
		Subject: d.Subject, Subjects: d.Subjects, Desktop: d.Desktop, Asked: asked, SessionStartedAt: l.Started, AgentVersion: a.cfg.Build,
	}
}

// writeOutcome records an outcome after which nothing is captured.
func (a *Agent) writeOutcome(l *live, asked *record.Asked, by consent.Provenance) {
	if l.decided == nil {
		return
	}
	h := a.head(l)
	typ, body := record.TypeRefusal, any(record.Refusal{Head: h, Decided: a.body(l, asked, by)})
	if l.outcome == consent.OutcomeNoAnswer || l.outcome == consent.OutcomeCouldNotAsk {
		typ, body = record.TypeNoAnswer, record.NoAnswer{Head: h, Decided: a.body(l, asked, "")}
	}
	if _, err := a.write(h, typ, body); err != nil {
		a.log.Error("write outcome", "session", l.Name, "err", err)
	}
	if !l.missed() {
		a.letGo(l, whyExpired)
	}
	if err := a.keep(l); err != nil {
		a.log.Error("keep session", "session", l.Name, "err", err)
	}
}

// write signs a record and appends it to the log: durable on return.
func (a *Agent) write(h record.Head, typ record.Type, body any) ([]byte, error) {
	env, err := record.Sign(a.key, typ, body, a.moreKeys(h.Device)...)
	if err != nil {
		return nil, err
	}
	company := h.Company
	held := false
	if typ != record.TypeGrant {
		if held, err = a.held(store.Stream{Company: h.Company, Session: h.Session}); err != nil {
			return nil, fmt.Errorf("write record: %w", err)
		}
	}
	if held || typ == record.TypeRefusal || typ == record.TypeNoAnswer || typ == record.TypeConfirmation {
		// They stay on this computer: who does not agree leaves no trace with the
		// company, not even that they were asked.
		company = ""
	}
	if h.At.After(a.latest) {
		a.latest = h.At
	}
	_, err = a.store.AppendRecord(store.Entry{ID: h.ID, Type: typ, Company: company, Session: h.Session, At: h.At, Envelope: env})
	if err != nil {
		return nil, fmt.Errorf("write record: %w", err)
	}
	if company != "" {
		a.tendGuest(a.guests[h.Device])
	}
	return env, nil
}

// origin is where the policy comes from, as a record for c may say it: what the
// company that manages this computer calls its policy is no other's business.
func (a *Agent) origin(c *company) (origin, sha256 string) {
	switch {
	case c != nil && c.Account != nil && (a.policy.Origin == "" || a.policy.Origin == "none"):
		return policy.FromAccount, a.policy.SHA256
	case c != nil && c.Account != nil:
		return a.policy.Origin + ", " + policy.FromAccount, a.policy.SHA256
	case c == nil || c.guest == nil || a.company == nil:
		return a.policy.Origin, a.policy.SHA256
	}
	var own []string
	for _, o := range strings.Split(a.policy.Origin, ", ") {
		if !strings.HasPrefix(o, policy.FromServer+":") {
			own = append(own, o)
		}
	}
	return cmp.Or(strings.Join(append(own, originManaged), ", "), "none"), a.policy.SHA256
}

// originManaged stands in the records of a guest for the policy of the company
// that manages this computer.
const originManaged = "managed"

// subjectSalt is this computer's own salt for the subject of records.
func (a *Agent) subjectSalt() ([]byte, error) {
	salt, err := a.store.Doc("subject-salt")
	if err == nil && len(salt) == 32 {
		return salt, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read salt: %w", err)
	}
	salt = make([]byte, 32)
	rand.Read(salt)
	return salt, a.store.PutDoc("subject-salt", salt)
}

// subjectOf names a user in records without naming them.
func (a *Agent) subjectOf(uid uint32) string { return a.subjectIn(uid, record.Decided{}) }

// subjectIn is subjectOf in one decision. In each of a guest's it is another one:
// companies must not be able to tell by it that it is the same person.
func (a *Agent) subjectIn(uid uint32, d record.Decided) string {
	m := hmac.New(sha256.New, a.subject)
	m.Write([]byte(strconv.Itoa(int(uid))))
	if d.CompanyHost != "" {
		m.Write([]byte("\x00" + d.Request))
	}
	return hex.EncodeToString(m.Sum(nil)[:16])
}

func join(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	out := ids[0]
	for _, s := range ids[1:] {
		out += " " + s
	}
	return out
}
