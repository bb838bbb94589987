package record

import (
	"encoding/json"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// The receipt as JSON-LD. Names and structure follow the W3C Data Privacy
// Vocabulary's profile of ISO/IEC TS 27560:2023 (https://w3id.org/dpv/guides/
// consent-27560), record schema "record-2", edition of 2026-02-15. What no
// signed record holds is left out rather than guessed: jurisdiction, addresses
// and contacts of the company, countries of storage. Labels are English in
// every receipt, so that the same records give the same bytes everywhere.
const profile = "dpv-27560:record-2"

// own is what a receipt conforms to where nobody's consent was sought: a
// policy is never presented as a record of consent.
const own = "aval:receipt-1"

type linkedReceipt struct {
	Context  map[string]string       `json:"@context"`
	Type     []string                `json:"@type"`
	Conforms string                  `json:"dct:conformsTo"`
	ID       string                  `json:"dpv:hasIdentifier"`
	Created  string                  `json:"dct:created"`
	Creator  string                  `json:"dct:creator"`
	Language string                  `json:"dct:language"`
	Subject  linkedThings            `json:"dpv:hasDataSubject,omitempty"`
	Notices  []linkedNotice          `json:"dpv:hasNotice,omitempty"`
	Process  []linkedProcess         `json:"dpv:hasProcess"`
	Entities map[string]linkedEntity `json:"dpv:hasEntity"`
	Session  linkedSession           `json:"aval:session"`
	Decision *linkedDecision         `json:"aval:decision,omitempty"`
	Later    []linkedLater           `json:"aval:later,omitempty"`
	Proof    linkedProof             `json:"aval:proof"`
}

type linkedThing struct {
	Type []string `json:"@type"`
	ID   string   `json:"dpv:hasIdentifier"`
}

// linkedThings is one as an object, several as an array, as JSON-LD has it.
type linkedThings []linkedThing

// MarshalJSON implements json.Marshaler.
func (l linkedThings) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]linkedThing(l))
}

type linkedEntity struct {
	Type []string `json:"@type"`
	ID   string   `json:"dpv:hasIdentifier"`
	Name string   `json:"dpv:hasName,omitempty"`
}

type linkedNotice struct {
	Type     []string `json:"@type"`
	ID       string   `json:"dpv:hasIdentifier"` // sha256: of the text as shown
	Date     string   `json:"dct:date,omitempty"`
	Language string   `json:"dct:language,omitempty"`
}

type linkedConcept struct {
	Type    []string `json:"@type"`
	Broader []string `json:"skos:broader"`
	Label   string   `json:"skos:prefLabel"`
	ID      string   `json:"dpv:hasIdentifier,omitempty"`
}

type linkedProcess struct {
	Type       []string        `json:"@type"`
	Purpose    []linkedConcept `json:"dpv:hasPurpose"`
	Data       []linkedConcept `json:"dpv:hasPersonalData"`
	Processing []string        `json:"dpv:hasProcessing"`
	Controller []string        `json:"dpv:hasDataController"`
	Source     []string        `json:"dpv:hasDataSource"`
	Storage    []linkedStorage `json:"dpv:hasStorageCondition"`
	Recipient  []string        `json:"dpv:hasRecipient"`
	Basis      []string        `json:"dpv:hasLegalBasis"`
	Status     []linkedStatus  `json:"dpv:hasConsentStatus,omitempty"`
}

type linkedStorage struct {
	Type     []string        `json:"@type"`
	Location string          `json:"dpv:hasLocation,omitempty"`
	Duration *linkedDuration `json:"dpv:hasDuration,omitempty"`
}

type linkedDuration struct {
	Type  string `json:"@type"`
	Value string `json:"rdf:value"`
}

type linkedStatus struct {
	Type     []string        `json:"@type"`
	At       string          `json:"dpv:isIndicatedAtTime"`
	How      string          `json:"dpv:isExercisedAt"`
	Duration *linkedDuration `json:"dpv:hasDuration,omitempty"`
}

type linkedSession struct {
	Name      string `json:"aval:name"`
	Tool      string `json:"aval:tool,omitempty"`
	Supporter string `json:"aval:supporter,omitempty"`
	Verified  *bool  `json:"aval:supporterVerified,omitempty"`
	Started   string `json:"aval:startedAt,omitempty"`
	Desktop   string `json:"aval:desktop,omitempty"`
}

type linkedDecision struct {
	Direction  consent.Direction  `json:"aval:direction"`
	Input      consent.Input      `json:"aval:input"`
	Decision   consent.Decision   `json:"aval:decision"`
	Narrowed   Narrowed           `json:"aval:narrowed,omitempty"`
	Outcome    consent.Outcome    `json:"aval:outcome"`
	Ending     consent.Ending     `json:"aval:ending,omitempty"`
	Basis      consent.Basis      `json:"aval:basis,omitempty"`
	Groups     []event.Group      `json:"aval:groups,omitempty"`
	Provenance consent.Provenance `json:"aval:provenance,omitempty"`
	Answered   string             `json:"aval:answeredBy,omitempty"`
	Engine     string             `json:"aval:engine,omitempty"`
	Answer     string             `json:"aval:answer,omitempty"`     // the record whose answer holds
	Minutes    int                `json:"aval:forMinutes,omitempty"` // for which this answer holds for further sessions
	Test       bool               `json:"aval:test,omitempty"`
	Origin     string             `json:"aval:policyOrigin,omitempty"`
	SHA256     string             `json:"aval:policySHA256,omitempty"`
	Version    int64              `json:"aval:policyVersion,omitempty"`
	// Releases: the company's server may by itself send values that allow
	// recording without a question.
	Releases bool   `json:"aval:serverReleases,omitempty"`
	Agent    string `json:"aval:agentVersion,omitempty"`
}

type linkedLater struct {
	Type       Type               `json:"aval:type"`
	ID         string             `json:"dpv:hasIdentifier"`
	Grant      string             `json:"aval:grant"`
	At         string             `json:"aval:at"`
	By         string             `json:"aval:by,omitempty"`
	Erase      bool               `json:"aval:erase,omitempty"`
	Provenance consent.Provenance `json:"aval:provenance,omitempty"`
	Test       bool               `json:"aval:test,omitempty"`
	Copies     []consent.Copy     `json:"aval:copies,omitempty"`
}

type linkedProof struct {
	Algorithm string         `json:"aval:algorithm"`
	Key       []byte         `json:"aval:publicKey"`
	KeyID     string         `json:"aval:keyId"`
	Records   []linkedRecord `json:"aval:records"`
}

type linkedRecord struct {
	Type     Type   `json:"aval:type"`
	ID       string `json:"dpv:hasIdentifier"`
	SHA256   string `json:"aval:sha256"`
	Envelope []byte `json:"aval:envelope"`
}

// instant is a time as every record and receipt writes it; none is empty.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// linked derives the receipt's JSON-LD.
func (r Receipt) linked() linkedReceipt {
	out := linkedReceipt{
		Context: map[string]string{
			"aval": "urn:x-aval:receipt-1:", "dct": "http://purl.org/dc/terms/", "dpv": "https://w3id.org/dpv#",
			"dpv-27560": "https://w3id.org/dpv/schema/dpv-27560#", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
			"skos": "http://www.w3.org/2004/02/skos/core#",
		},
		Type: []string{"dpv:DataProcessingRecord"}, Conforms: own,
		ID: r.head.ID, Created: instant(r.head.At), Creator: "device:" + r.head.Device, Language: "en",
		Process:  []linkedProcess{},
		Entities: map[string]linkedEntity{"device:" + r.head.Device: {Type: []string{"dpv:Entity"}, ID: r.head.Device, Name: "Aval on the computer that was connected to"}},
		Session:  linkedSession{Name: r.head.Session},
		Proof:    linkedProof{Algorithm: "Ed25519, DSSEv1", Key: r.key, KeyID: KeyID(r.key)},
	}
	if r.head.Company != "" {
		e := linkedEntity{Type: []string{"dpv:Organisation"}, ID: r.head.Company}
		if r.decided != nil {
			e.Name = r.decided.CompanyName
		}
		out.Entities["company:"+r.head.Company] = e
	}
	for _, o := range r.records {
		out.Proof.Records = append(out.Proof.Records, linkedRecord{Type: o.typ, ID: o.head.ID, SHA256: sum(o.raw), Envelope: o.raw})
		if o.grant != "" {
			out.Later = append(out.Later, linkedLater{Type: o.typ, ID: o.head.ID, Grant: o.grant, At: instant(o.head.At), By: o.by, Erase: o.erase, Provenance: o.how, Test: o.test, Copies: o.copies})
		}
	}
	if d := r.decided; d != nil {
		r.link(&out, d)
	}
	return out
}

// link adds what a decision says.
func (r Receipt) link(out *linkedReceipt, d *Decided) {
	verified := d.SupporterVerified
	out.Session = linkedSession{Name: r.head.Session, Tool: d.Tool, Supporter: d.Supporter, Verified: &verified, Started: instant(d.SessionStartedAt), Desktop: d.Desktop}
	ld := &linkedDecision{Direction: d.Direction, Input: d.Input, Decision: d.Decision, Narrowed: d.Narrowed, Outcome: d.Outcome, Ending: d.Ending,
		Provenance: d.Provenance, Origin: d.PolicyOrigin, SHA256: d.PolicySHA256, Version: d.PolicyVersion, Releases: d.ServerReleases, Agent: d.AgentVersion}
	switch d.Provenance {
	case consent.P0:
		ld.Answered = "unknown"
	case consent.P1, consent.P2, consent.P3:
		ld.Answered = "the person at the computer, as far as the provenance reaches"
	}
	out.Decision = ld
	for _, s := range d.subjects() {
		out.Subject = append(out.Subject, linkedThing{Type: []string{"dpv:DataSubject"}, ID: s})
	}
	sought := d.Decision.Verdict == consent.Ask || r.Basis() == consent.BasisStandingSetting || d.Decision.Reason == consent.ReasonDeniedBySetting
	if sought {
		out.Type, out.Conforms = []string{"dpv:ConsentRecord"}, profile
	}
	if a := d.Asked; a != nil && a.TextHash != "" {
		out.Notices = []linkedNotice{{Type: []string{"dpv:ConsentNotice"}, ID: "sha256:" + a.TextHash, Date: instant(a.ShownAt), Language: a.Locale}}
	}
	g := r.grant
	if g == nil {
		var groups []event.Group
		if d.Asked != nil {
			groups = d.Asked.Offered
		}
		if status := r.status(d); status != nil {
			out.Process = append(out.Process, r.process(d, groups, []linkedStatus{*status}))
		}
		return
	}
	ld.Basis, ld.Groups, ld.Engine, ld.Test = g.Basis, g.Groups, g.Engine, g.Test
	ld.Answer, ld.Minutes = g.Answer, g.ForMinutes
	var statuses []linkedStatus
	if status := r.status(d); status != nil {
		status.Duration = &linkedDuration{Type: "dpv:UntilTimeDuration", Value: instant(g.Expires)}
		statuses = append(statuses, *status)
		for _, o := range r.records {
			if o.typ == TypeWithdrawal {
				statuses = append(statuses, linkedStatus{Type: []string{"dpv:ConsentWithdrawn"}, At: instant(o.head.At), How: "withdrawn on the computer"})
			}
		}
	}
	out.Process = append(out.Process, r.process(d, g.Groups, statuses))
	if no := r.refusedGroups(); len(no) > 0 {
		out.Process = append(out.Process, r.process(d, no, []linkedStatus{{Type: []string{"dpv:ConsentRefused"}, At: instant(d.Asked.EndedAt), How: "left out in the question on the screen"}}))
	}
}

// status is the state of consent, or nil where a policy or the company decided
// and there is no consent to speak of.
func (r Receipt) status(d *Decided) *linkedStatus {
	at := r.head.At
	if d.Asked != nil {
		at = d.Asked.EndedAt
	}
	s := &linkedStatus{At: instant(at), How: "question on the screen"}
	switch {
	case r.Basis() == consent.BasisConsent:
		s.Type = []string{"dpv:ConsentGiven"}
		if r.grant.Answer != "" {
			s.How = "an earlier answer on the screen, given for further sessions"
		}
		if d.Provenance != consent.P0 && d.Provenance != "" {
			s.Type = append(s.Type, "dpv:ExplicitlyExpressedConsent")
		}
	case r.Basis() == consent.BasisStandingSetting:
		// The person's own act, but made before and not for this session.
		s.Type, s.How = []string{"dpv:ConsentGiven", "dpv:ImpliedConsent"}, "the person's own standing setting"
	case r.grant != nil:
		return nil
	case d.Outcome == consent.OutcomeRefused:
		s.Type = []string{"dpv:ConsentRefused"}
	case d.Decision.Reason == consent.ReasonDeniedBySetting:
		s.Type, s.How = []string{"dpv:ConsentRefused"}, "the person's own standing setting"
	case d.Outcome == consent.OutcomeNoAnswer:
		s.Type = []string{"dpv:ConsentRequestDeferred"} // never as a refusal, never as consent
	case d.Outcome == consent.OutcomeCouldNotAsk:
		s.Type = []string{"dpv:ConsentUnknown"}
	default:
		return nil
	}
	return s
}

var groupLabels = map[event.Group]string{
	event.Windows: "programs and window titles", event.Commands: "commands that are run", event.Files: "names of transferred or changed files",
	event.Chat: "the chat with support", event.System: "installations, services, settings and errors of the system",
}

func (r Receipt) process(d *Decided, groups []event.Group, status []linkedStatus) linkedProcess {
	p := linkedProcess{
		Type:    []string{"dpv:Process"},
		Purpose: []linkedConcept{{Type: []string{"dpv:Purpose"}, Broader: []string{"dpv:CustomerSupport"}, Label: "A summary of this remote-support session"}},
		Data:    []linkedConcept{}, Processing: []string{}, Controller: []string{}, Source: []string{"dpv:DataSubjectDataSource"},
		Storage: []linkedStorage{}, Recipient: []string{}, Basis: []string{}, Status: status,
	}
	if r.head.Company != "" {
		p.Controller = append(p.Controller, "company:"+r.head.Company)
	}
	for _, g := range groups {
		label := groupLabels[g]
		if label == "" {
			label = string(g)
		}
		p.Data = append(p.Data, linkedConcept{Type: []string{"dpv:PersonalData"}, Broader: []string{"dpv:CollectedPersonalData"}, Label: label, ID: string(g)})
	}
	if d.Decision.Verdict == consent.Ask || r.Basis() == consent.BasisStandingSetting {
		p.Basis = append(p.Basis, "dpv:Consent")
	}
	if g := r.grant; g != nil && (len(status) == 0 || status[0].Type[0] == "dpv:ConsentGiven") {
		p.Processing = append(p.Processing, "dpv:Collect", "dpv:Store", "dpv:Transfer")
		p.Recipient = append(p.Recipient, p.Controller...)
		p.Storage = append(p.Storage, linkedStorage{Type: []string{"dpv:StorageLocation"}, Location: "dpv:WithinDevice"})
		if g.RetentionDays > 0 {
			p.Storage = append(p.Storage, linkedStorage{Type: []string{"dpv:StorageDuration"},
				Duration: &linkedDuration{Type: "dpv:TemporalDuration", Value: fmt.Sprintf("P%dD", g.RetentionDays)}})
		}
	}
	return p
}
