package record

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/policy"
	"aval/assets"
)

// pageWidth is the longest line of a page, in columns, unless one word is longer.
const pageWidth = 78

// page collects lines; names from outside go through plain first.
type page struct {
	c *assets.Catalog
	b strings.Builder
}

// Page is the receipt as plain text to read, in the catalogue's language.
// Everything in it that comes from outside is shown as printable text only.
func (r Receipt) Page(c *assets.Catalog) string {
	p := &page{c: c}
	p.text(c.T("receipt.title", nil))
	p.gap()
	p.text(c.T("receipt.about."+r.about(), nil))
	p.gap()
	p.text(c.T("receipt.session", assets.Args{"name": plain(r.head.Session)}))
	if r.decided != nil {
		r.pageDecision(p, r.decided)
	}
	p.text(c.T("receipt.time", assets.Args{"time": moment(r.head.At)}))
	if r.decided == nil {
		p.text(c.T("receipt.grant", assets.Args{"id": plain(r.records[0].grant)}))
		p.hand(r.records[0])
		p.copies(r.records[0].copies)
	}
	if r.grant != nil {
		r.pageLater(p)
		r.pageReads(p)
	}
	p.gap()
	p.text(c.T("receipt.proof", nil))
	p.text(c.T("receipt.record", assets.Args{"id": plain(r.head.ID)}))
	p.text(c.T("receipt.hash", assets.Args{"hash": r.SHA256()}))
	p.text(c.T("receipt.key", assets.Args{"id": r.KeyID()}))
	p.text(c.T("receipt.limits", nil))
	p.text(c.T("receipt.check", nil))
	return p.b.String()
}

// about chooses the sentence that says what happened.
func (r Receipt) about() string {
	switch {
	case r.grant != nil && r.grant.Answer != "":
		return string(r.grant.Basis) + ".earlier"
	case r.grant != nil:
		return string(r.grant.Basis)
	case r.decided != nil:
		return string(r.decided.Outcome)
	case r.typ == TypeObjection:
		return "objection"
	case r.typ == TypeErasure:
		return "erasure"
	}
	return "withdrawal"
}

func (r Receipt) pageDecision(p *page, d *Decided) {
	c := p.c
	if d.SupporterVerified {
		p.text(c.T("receipt.supporter", assets.Args{"name": plain(d.Supporter)}))
	} else {
		p.text(c.T("receipt.supporter.unverified", assets.Args{"name": plain(d.Supporter)}))
	}
	if d.CompanyName != "" {
		p.text(c.T("receipt.company", assets.Args{"name": plain(d.CompanyName)}))
	}
	if d.Decision.Verdict != consent.Ask {
		p.text(c.T("receipt.why", assets.Args{"text": known(c, "reason.", string(d.Decision.Reason))}))
	}
	if a := d.Asked; a != nil {
		p.text(c.T("receipt.asked", assets.Args{"time": moment(a.AskedAt)}))
		if !a.ShownAt.IsZero() {
			p.text(c.T("receipt.shown", assets.Args{"time": moment(a.ShownAt), "lang": plain(a.Locale)}))
		}
		p.text(c.T("receipt.ended", assets.Args{"time": moment(a.EndedAt), "text": known(c, "ending.", string(d.Ending))}))
	}
	if d.Ending == consent.EndingAnsweredYes || d.Ending == consent.EndingAnsweredNo {
		who := "none"
		if d.Provenance != "" {
			who = string(d.Provenance)
		}
		p.text(c.T("receipt.who", assets.Args{"text": known(c, "receipt.who.", who)}))
	}
	switch g := r.grant; {
	case g != nil:
		if g.Answer != "" {
			p.text(c.T("receipt.answer", assets.Args{"id": plain(g.Answer)}))
		}
		if lasts := g.Lasts(); !lasts.IsZero() {
			p.text(c.T("receipt.lasts", assets.Args{"time": moment(lasts)}))
		}
		p.text(c.T("receipt.recorded", assets.Args{"list": groupList(c, g.Groups)}))
		if no := r.refusedGroups(); len(no) > 0 {
			p.text(c.T("receipt.left_out", assets.Args{"list": groupList(c, no)}))
		}
		p.text(c.T("receipt.until", assets.Args{"from": moment(g.NotBefore), "to": moment(g.Expires)}))
		if g.RetentionDays > 0 {
			p.text(c.N("receipt.retention", g.RetentionDays, nil))
		}
		switch model, host := consent.SplitEngine(g.Engine); {
		case g.Engine == consent.EngineRules:
			p.text(c.T("receipt.engine.rules", nil))
		case model != "":
			p.text(c.T("receipt.engine.ai", assets.Args{"name": plain(model)}))
			if host == consent.EngineHere {
				p.text(c.T("receipt.engine.here", nil))
			} else if host != "" {
				p.text(c.T("receipt.engine.outside", assets.Args{"host": plain(host)}))
			}
		}
		if g.Test {
			p.text(c.T("receipt.test", nil))
		}
	case d.Asked != nil && len(d.Asked.Offered) > 0:
		p.text(c.T("receipt.offered", assets.Args{"list": groupList(c, d.Asked.Offered)}))
	}
	switch {
	case d.PolicySHA256 != "":
		p.text(c.T("receipt.policy", assets.Args{"origin": plain(d.PolicyOrigin), "hash": plain(d.PolicySHA256)}))
	case strings.HasPrefix(d.PolicyOrigin, policy.FromServer+":"):
		p.text(c.T("receipt.policy.server", assets.Args{"origin": plain(d.PolicyOrigin), "version": strconv.FormatInt(d.PolicyVersion, 10)}))
	}
	if d.ServerReleases {
		p.text(c.T("receipt.server_releases", assets.Args{"company": plain(d.CompanyName)}))
	}
}

// pageLater says what came after a grant, and what can still be done.
func (r Receipt) pageLater(p *page) {
	c := p.c
	ended, objected := false, false
	for i, o := range r.records[1:] {
		if i == 0 {
			p.gap()
			p.text(c.T("receipt.later", nil))
		}
		at := assets.Args{"time": moment(o.head.At)}
		switch {
		case o.typ == TypeObjection:
			objected = true
			p.text(c.T("receipt.later.objection", at))
			p.hand(o)
		case o.typ == TypeErasure:
			ended = true
			p.text(c.T("receipt.later.erasure", at))
			p.copies(o.copies)
		case o.erase:
			ended = true
			p.text(c.T("receipt.later.withdrawal.erase", at))
			p.hand(o)
		default:
			ended = true
			p.text(c.T("receipt.later.withdrawal", at))
			p.hand(o)
		}
	}
	if ended || objected {
		return
	}
	p.gap()
	if r.grant.Basis == consent.BasisEnforcedPolicy {
		p.text(c.T("receipt.object", assets.Args{"id": plain(r.head.ID)}))
		return
	}
	p.text(c.T("receipt.withdraw", assets.Args{"id": plain(r.head.ID)}))
	p.text(c.T("receipt.change", nil))
}

// pageReads says how often the company has read what it has, if its server does.
func (r Receipt) pageReads(p *page) {
	reads := r.reads
	if reads == nil {
		return
	}
	p.gap()
	if reads.Times == 0 {
		p.text(p.c.T("receipt.reads.none", nil))
		return
	}
	var who []string
	count := func(n uint64) int { return int(min(n, math.MaxInt32)) }
	if reads.People > 0 {
		who = append(who, p.c.N("receipt.reads.people", count(reads.People), nil))
	}
	if reads.Programs > 0 {
		who = append(who, p.c.N("receipt.reads.programs", count(reads.Programs), nil))
	}
	p.text(p.c.N("receipt.reads", count(reads.Times), assets.Args{"who": strings.Join(who, ", "), "time": moment(reads.Last)}))
}

// hand says who withdrew or objected, where the record says it.
func (p *page) hand(o opened) {
	switch o.how {
	case "":
		return
	case consent.P0, consent.PX:
		p.text(p.c.T("receipt.hand", assets.Args{"text": p.c.T("receipt.hand."+string(o.how), nil)}))
	default:
		p.text(p.c.T("receipt.hand", assets.Args{"text": known(p.c, "receipt.who.", string(o.how))}))
	}
	if o.test {
		p.text(p.c.T("receipt.hand.test", nil))
	}
}

func (p *page) copies(copies []consent.Copy) {
	for _, c := range copies {
		where := p.c.T("receipt.copy.here", nil)
		if c.Where != consent.CopyHere {
			where = p.c.T("receipt.copy.company", assets.Args{"company": plain(c.Company)})
		}
		p.text(p.c.T("receipt.copy", assets.Args{"where": where, "fate": p.fate(c.Fate)}))
	}
}

// fate is a word of the closed list; another version's stands as it is.
func (p *page) fate(f consent.CopyFate) string {
	switch f {
	case consent.FateErased, consent.FateAsked, consent.FateConfirmed:
		return p.c.T("receipt.fate."+string(f), nil)
	}
	return plain(string(f))
}

func (p *page) gap() { p.b.WriteByte('\n') }

// text writes one paragraph, broken where a line may end; further lines are indented.
func (p *page) text(s string) {
	const indent = "  "
	columns := func(s string) float64 { return float64(assets.Columns(s)) }
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	lines := assets.Lines(s, pageWidth, columns)
	if len(lines) > 1 {
		rest := strings.TrimPrefix(s, lines[0])
		lines = append(lines[:1], assets.Lines(rest, pageWidth-float64(len(indent)), columns)...)
	}
	p.b.WriteString(strings.Join(lines, "\n"+indent) + "\n")
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// known looks a word of a closed list up; one that this version does not know
// is shown as it stands in the record.
func known(c *assets.Catalog, area, word string) string {
	text := c.T(area+word, nil)
	if text == "["+area+word+"]" {
		return plain(word)
	}
	return text
}

func groupList(c *assets.Catalog, groups []event.Group) string {
	var out []string
	for _, g := range groups {
		out = append(out, known(c, "consent.group.", string(g)))
	}
	return strings.Join(out, ", ")
}

// maxPlain is the longest text from outside on a page, in characters.
const maxPlain = 200

// plain makes text from outside harmless on a terminal: no control characters,
// no marks that turn the direction of writing, no endless lines.
func plain(s string) string {
	out := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s))
	if len(out) > maxPlain {
		out = append(out[:maxPlain:maxPlain], '…')
	}
	return string(out)
}
