package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/store"
	"aval/assets"
)

// settings is the user's own value, and what would count for them now.
func (a *Agent) settings(uid uint32) ipc.SettingsResult {
	set := a.store.Setting(uid)
	e, asks := a.policyNow().Effective, a.wants()
	r := inForce(e, asks, ipc.SettingsResult{SessionInsights: set.Value, Since: set.Since, Lasting: a.lastingFor(uid)})
	r.Default = inForce(e, asks, ipc.SettingsResult{SessionInsights: consent.AccessUnset}).Effective
	r.Groups, r.Gone, r.Language = a.groupSettings(uid), a.goneFor(uid), a.store.Prefs(uid).Language
	return r
}

// inForce completes r with what its own value comes to under a policy, where a
// company asks so.
func inForce(e policy.Effective, asks policy.Asks, r ipc.SettingsResult) ipc.SettingsResult {
	pol := e.Get(policy.AccessControl)
	r.Enforced = false
	switch own := r.SessionInsights; {
	case e.State == consent.PolicyUnreadable:
		r.Effective, r.Origin, r.Enforced = consent.AccessDenied, "policy-unreadable", true
	case pol.Set && pol.Value.Enforced:
		r.Effective, r.Origin, r.Enforced = consent.AccessControl(pol.Value.Text), "enforced-policy", true
	case own == consent.AccessCorrupt:
		r.Effective, r.Origin = consent.AccessDenied, "setting-corrupt"
	case own != consent.AccessUnset:
		r.Effective, r.Origin = own, "setting"
	case pol.Set:
		r.Effective, r.Origin = consent.AccessControl(pol.Value.Text), "policy"
	case policy.NeedNotAsk(e, asks):
		r.Effective, r.Origin = consent.AccessAllowed, "policy"
	default:
		r.Effective, r.Origin = consent.AccessAfterConfirmation, "default"
	}
	return r
}

// changeSettings stores the user's own values. While a supporter is on that user's
// desktop the hand at the mouse may be theirs: then they become stricter at once,
// and looser, or another language, only by a hand that is known to be the person's.
func (a *Agent) changeSettings(c *ipc.Conn, r ipc.SettingsSet, done func(ipc.SettingsResult, error)) {
	uid := c.Peer().UID
	out, err := a.setSettings(uid, r, false)
	if !errors.Is(err, errSupporter) || r.Press == nil {
		done(out, err)
		return
	}
	d := a.pressedOn(c, nil)
	a.whenHeard(a.hear(d, c, r.Press), func(h ipc.Heard) {
		by, counts := a.weigh(d, c, h)
		mine := counts && by.Proven()
		if !mine {
			a.log.Warn("a looser setting that does not count", "from", string(h.From), "device", h.Device, "doubt", h.Doubt)
		}
		done(a.setSettings(uid, r, mine))
	})
}

var errSupporter = &ipc.Error{Code: ipc.CodeRefused, Message: "a supporter is connected to this desktop",
	Hint: "the setting can become stricter now, and looser in the settings window, with this computer's own mouse or keyboard, or once they have left"}

// setSettings stores values, all of r or nothing. mine: it is known that the
// person's own hand chose them.
func (a *Agent) setSettings(uid uint32, r ipc.SettingsSet, mine bool) (ipc.SettingsResult, error) {
	if err := checkSettings(r); err != nil {
		return ipc.SettingsResult{}, err
	}
	now, prefs := a.settings(uid), a.store.Prefs(uid)
	if r.SessionInsights != "" && now.Enforced {
		return now, &ipc.Error{Code: ipc.CodeRefused, Message: "your organisation's policy sets this, it cannot be changed here", Hint: "aval policy show says which"}
	}
	loose := false
	if r.SessionInsights != "" {
		loose = loosens(now.Effective, inForce(a.policy.Effective, a.wants(), ipc.SettingsResult{SessionInsights: r.SessionInsights}).Effective)
	}
	for _, g := range r.Record {
		loose = loose || len(prefs.Record) > 0 && !slices.Contains(prefs.Record, g)
	}
	if len(r.Record) > 0 {
		prefs.Record = slices.DeleteFunc(slices.Clone(event.Groups), func(g event.Group) bool { return !slices.Contains(r.Record, g) })
		if len(prefs.Record) == len(event.Groups) {
			prefs.Record = nil
		}
	}
	switch r.Language {
	case "":
	case languageDefault:
		loose, prefs.Language = loose || prefs.Language != "", ""
	default:
		loose, prefs.Language = loose || prefs.Language != r.Language, r.Language
	}
	if loose && !mine && a.supporterOn(uid) {
		return now, errSupporter
	}
	if r.SessionInsights != "" {
		if err := a.store.SetSetting(uid, r.SessionInsights, time.Now().UTC()); err != nil {
			return now, err
		}
		a.accessChanged(uid)
	}
	if len(r.Record) > 0 || r.Language != "" {
		before := a.recordedOf(uid)
		if err := a.store.SetPrefs(uid, prefs); err != nil {
			return now, err
		}
		a.choicesChanged(uid, before)
	}
	return a.settings(uid), nil
}

// languageDefault takes a choice of language back.
const languageDefault = "default"

func checkSettings(r ipc.SettingsSet) error {
	bad := func(hint, format string, args ...any) error {
		return &ipc.Error{Code: ipc.CodeBadRequest, Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	switch r.SessionInsights {
	case "", consent.AccessUnset, consent.AccessAllowed, consent.AccessDenied, consent.AccessAfterConfirmation:
	default:
		return bad("allowed, denied, after-confirmation or default", "session-insights cannot be %q", r.SessionInsights)
	}
	for _, g := range r.Record {
		if !slices.Contains(event.Groups, g) {
			return bad("windows, commands, files, system or chat", "there is no group %q", g)
		}
	}
	if r.Language != "" && r.Language != languageDefault && !slices.Contains(assets.Langs(), r.Language) {
		return bad(strings.Join(assets.Langs(), ", ")+" or default", "there is no language %q", r.Language)
	}
	if r.SessionInsights == "" && len(r.Record) == 0 && r.Language == "" {
		return bad("to have nothing recorded: session-insights denied", "nothing is to be set")
	}
	return nil
}

// mayRecord tells whether a user's own choice lets a group be recorded.
func mayRecord(p store.Prefs, g event.Group) bool {
	return len(p.Record) == 0 || slices.Contains(p.Record, g)
}

func (a *Agent) groupSettings(uid uint32) []ipc.GroupSetting {
	prefs := a.store.Prefs(uid)
	var out []ipc.GroupSetting
	for _, g := range event.Groups {
		s := ipc.GroupSetting{Group: g, Own: mayRecord(prefs, g), Barred: !a.policy.Effective.MayRecord(g)}
		s.Record = s.Own && !s.Barred
		out = append(out, s)
	}
	return out
}

// chosen leaves of groups those that the people whose desktops are viewed let be
// recorded. What a policy enforces is not theirs to narrow.
func (a *Agent) chosen(l *live, groups []event.Group) []event.Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g event.Group) bool {
		return slices.ContainsFunc(a.viewers(l), func(uid uint32) bool { return !mayRecord(a.store.Prefs(uid), g) })
	})
}

// viewers are the users whose desktops or logins a session concerns.
func (a *Agent) viewers(l *live) []uint32 {
	if l.Login != nil {
		return []uint32{l.Login.UID}
	}
	var out []uint32
	for _, id := range l.desktops {
		if d, ok := a.desktops[id]; ok && !slices.Contains(out, d.uid) {
			out = append(out, d.uid)
		}
	}
	return out
}

// recordable are the groups that a recording may take now: what was granted, as
// far as policy and people still let it. A grant is never widened.
func (a *Agent) recordable(l *live) []event.Group {
	g := l.rec.grant.Grant()
	out := slices.DeleteFunc(slices.Clone(g.Groups), func(g event.Group) bool { return !a.policy.Effective.MayRecord(g) })
	if g.Basis == consent.BasisEnforcedPolicy {
		return out
	}
	return a.chosen(l, out)
}

// recordedOf lists what the recordings that concern a user may take.
func (a *Agent) recordedOf(uid uint32) map[*live][]event.Group {
	out := map[*live][]event.Group{}
	for _, l := range a.sessions {
		if l.rec != nil && slices.Contains(a.viewers(l), uid) {
			out[l] = a.recordable(l)
		}
	}
	return out
}

// choicesChanged applies a user's choices at once: to what is being recorded,
// where a gap tells of what is left out from here on, and to their bar.
func (a *Agent) choicesChanged(uid uint32, before map[*live][]event.Group) {
	for l, was := range before {
		if now := a.recordable(l); len(now) < len(was) {
			l.rec.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": whyNarrowed})})
		}
	}
	for _, d := range a.desktops {
		if d.uid == uid {
			a.showIndicator(d)
		}
	}
	a.gateAll()
}

// accessChanged holds what runs on a user's desktops against their choice of now.
// One that denies ends recordings and questions at once, unless a policy enforces
// them; one that asks or allows counts for the sessions to come.
func (a *Agent) accessChanged(uid uint32) {
	for _, l := range a.sessions {
		if l.decided == nil || l.rec == nil && l.question == nil || !slices.Contains(a.viewers(l), uid) {
			continue
		}
		targets, _ := a.viewed(l)
		if d := a.again(l, a.localSetting(l, targets, l.decided.Input)); d.Decision.Verdict == consent.Deny {
			a.overtake(l, d, "stopped")
		}
	}
	a.gateAll()
}

// welcome tells once, to each user of a computer without a company, that the
// main window should open by itself.
func (a *Agent) welcome(uid uint32) (ipc.Welcome, error) {
	p := a.store.Prefs(uid)
	if a.company != nil || p.Welcomed {
		return ipc.Welcome{}, nil
	}
	p.Welcomed = true
	return ipc.Welcome{Open: true}, a.store.SetPrefs(uid, p)
}

// loosens tells whether going from one value in force to another lets more be
// recorded, or with less asking.
func loosens(from, to consent.AccessControl) bool {
	order := []consent.AccessControl{consent.AccessDenied, consent.AccessAfterConfirmation, consent.AccessAllowed}
	return slices.Index(order, to) > slices.Index(order, from)
}

// supporterOn tells whether a session is open on one of the user's desktops.
func (a *Agent) supporterOn(uid uint32) bool {
	for _, l := range a.sessions {
		if l.Login != nil && l.Login.UID == uid {
			return true
		}
		for _, id := range l.desktops {
			if d, ok := a.desktops[id]; ok && d.uid == uid {
				return true
			}
		}
	}
	return false
}
