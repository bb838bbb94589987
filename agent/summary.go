package agent

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/store"
	"aval/agent/wire"
)

// summary is what the company has written about one of the peer's sessions, as
// its server told last; who may see the record may see it.
func (a *Agent) summary(p ipc.Peer, id string) (ipc.Summary, error) {
	shown, err := a.showConsent(p, id)
	if err != nil {
		return ipc.Summary{}, err
	}
	out := ipc.Summary{Session: shown.Session, Company: shown.Company}
	if shown.Basis == consent.BasisNone {
		return out, nil // nothing was recorded, so nothing was written
	}
	g, err := a.findGrant(shown.ID)
	if err != nil {
		return out, err
	}
	raw, err := a.store.Summary(store.Stream{Company: g.Company, Session: g.Session})
	if errors.Is(err, store.ErrErased) || errors.Is(err, store.ErrNoStream) || err == nil && raw == nil {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	w := &wire.Summary{}
	if err := proto.Unmarshal(raw, w); err != nil {
		return out, fmt.Errorf("decode summary: %w", err)
	}
	out.Version, out.Name, out.Text, out.IssueTypes, out.Applications = w.GetVersion(), w.GetName(), w.GetText(), w.GetIssueTypes(), w.GetApplications()
	out.FollowUps, out.Language, out.Engine, out.Edited, out.Cut = w.GetFollowUps(), w.GetLanguage(), w.GetEngine(), w.GetEdited(), w.GetCut()
	if w.GetVersion() > 0 {
		out.At = time.Unix(0, w.GetAtUnixNano()).UTC()
	}
	if r := w.GetReads(); r != nil {
		out.Reads = &ipc.Reads{Times: r.GetTimes(), People: r.GetPeople(), Programs: r.GetPrograms()}
		if r.GetLastUnixNano() > 0 {
			out.Reads.Last = time.Unix(0, r.GetLastUnixNano()).UTC()
		}
	}
	for _, s := range w.GetSteps() {
		out.Steps = append(out.Steps, ipc.SummaryStep{Application: s.GetApplication(), Action: s.GetAction(), Commands: s.GetCommands()})
	}
	return out, nil
}
