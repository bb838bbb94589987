package console

import (
	"net/http"

	"aval/agent/consent"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// insightsPage is where a company says about which sessions it asks.
type insightsPage struct {
	frame
	told
	MayWrite, MayUsers, MayModules, MayDevices bool

	Active   bool // Session Insights are activated
	Named    bool // by somebody who accepted these very terms
	Accepted string
	Terms    []string
	TermsIn  string // the language of the terms
	TermsSum string

	OutgoingOn, IncomingOn bool
	Outgoing, Incoming     string // the choice in force, or the one that is remembered
	Enforced               bool

	ReleaseKey bool
	Waiting    []waitingPolicy
	Unassigned bool // devices without a policy wait too
	Server     string
}

type waitingPolicy struct{ Name, Draft, Publish string }

func (c *Console) insights(w http.ResponseWriter, r *http.Request, v visitor) {
	ch, err := v.co.Choices(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p := insightsPage{frame: c.frameOf(r, v, v.cat.T("console.insights", nil)), told: v.told(r), MayWrite: v.may(company.SettingsWrite), MayUsers: v.may(company.UsersRead),
		MayModules: v.may(company.SettingsRead), MayDevices: v.may(company.DevicesRead),
		Active: ch.Activation != nil, Named: ch.Activation.ByPerson() && ch.Activation.Current(),
		OutgoingOn: ch.Outgoing != consent.OutgoingOff, IncomingOn: ch.Incoming != consent.IncomingOff,
		Outgoing: string(ch.OutgoingWhenOn), Incoming: string(ch.IncomingWhenOn), Enforced: ch.IncomingEnforced,
		ReleaseKey: ch.Releases == "release-key", Unassigned: ch.WaitingUnassigned}
	p.Back = "/insights"
	p.Terms, p.TermsIn, p.TermsSum = company.Terms(v.cat.Lang)
	if a := ch.Activation; a.ByPerson() {
		who := summary.Clean(a.Name, 60)
		if who == "" {
			who = v.actorWords(a.By, nil)
		}
		p.Accepted = v.cat.T("console.insights.accepted", assets.Args{"who": who, "when": c.when(v.cat, a.At), "terms": a.Terms, "lang": a.Lang})
	}
	for _, name := range ch.Waiting {
		q := shellWord(name)
		p.Waiting = append(p.Waiting, waitingPolicy{summary.Clean(name, 60), "aval-summarizer policy draft " + q + " --data DIR > draft.json\naval-summarizer policy sign --key release.pem draft.json > signed.json",
			"aval-summarizer policy publish " + q + " --signed signed.json --data DIR"})
	}
	c.show(w, r, http.StatusOK, "insights", p)
}

// setOutgoing saves the first card: its switch, and its choice whether it is on or off.
func (c *Console) setOutgoing(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	choice := consent.OutgoingOption(r.PostFormValue("choice"))
	ch := company.Change{Outgoing: &choice, OutgoingChoice: &choice}
	if off := consent.OutgoingOff; r.PostFormValue("on") == "" {
		ch.Outgoing = &off
	}
	if choice != consent.OutgoingAll && choice != consent.OutgoingModules {
		c.settle(w, r, "/insights", "", errNothing)
		return
	}
	c.settle(w, r, "/insights", "saved", v.co.SetOptions(r.Context(), ch))
}

// setIncoming saves the second card.
func (c *Console) setIncoming(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	choice, enforced := consent.IncomingOption(r.PostFormValue("choice")), r.PostFormValue("refuse") == ""
	ch := company.Change{Incoming: &choice, IncomingChoice: &choice, IncomingEnforced: &enforced}
	if off := consent.IncomingOff; r.PostFormValue("on") == "" {
		ch.Incoming = &off
	}
	if choice != consent.IncomingAll && choice != consent.IncomingPolicy {
		c.settle(w, r, "/insights", "", errNothing)
		return
	}
	c.settle(w, r, "/insights", "saved", v.co.SetOptions(r.Context(), ch))
}

// activate accepts the terms in the text that was shown.
func (c *Console) activate(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	if r.PostFormValue("accept") == "" {
		c.settle(w, r, "/insights", "", errSure)
		return
	}
	c.settle(w, r, "/insights", "activated", v.co.Activate(r.Context(), r.PostFormValue("lang"), r.PostFormValue("terms")))
}

func (c *Console) deactivate(w http.ResponseWriter, r *http.Request, v visitor) {
	c.settle(w, r, "/insights", "deactivated", v.co.Deactivate(r.Context()))
}
