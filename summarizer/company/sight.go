package company

import "aval/summarizer/store"

// Sees is whose sessions and summaries viewers and supporters of a company see.
// Editors, auditors and administrators see all.
type Sees string

// The choices. A session is somebody's own where the company knows that they
// started it: they announced it, or it came by a session code of theirs.
const (
	SeesAll   Sees = "all"
	SeesGroup Sees = "group" // their own, and those of the people of their group
	SeesOwn   Sees = "own"
)

// AllSees lists the choices.
func AllSees() []Sees { return []Sees{SeesAll, SeesGroup, SeesOwn} }

func (s Sees) valid() bool { return s == SeesAll || s == SeesGroup || s == SeesOwn }

// sightOf is what a user of a company may see of its sessions; nil: all. What is
// not known shows the least.
func sightOf(settings string, u User) *store.Sight {
	if u.Role != Viewer && u.Role != Supporter {
		return nil
	}
	switch sees := decodeSettings(settings).Sees; sees {
	case SeesAll, "":
		return nil
	case SeesGroup:
		return &store.Sight{Owner: u.ID, Team: u.Team}
	default:
		return &store.Sight{Owner: u.ID}
	}
}
