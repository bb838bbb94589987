package consent

// CopyPlace names a place where something of a session is kept.
type CopyPlace string

// The places.
const (
	CopyHere    CopyPlace = "this-computer"
	CopyCompany CopyPlace = "company"
)

// CopyFate says what became of a copy that was to be deleted.
type CopyFate string

// The fates. FateConfirmed is never part of a record: it follows from the
// company's acknowledgement of the erasure, which its server gives only after
// its copy is gone.
const (
	FateErased    CopyFate = "erased"    // destroyed
	FateAsked     CopyFate = "asked"     // its holder was asked to destroy it
	FateConfirmed CopyFate = "confirmed" // its holder says that it is destroyed
)

// Copy is one place and the fate of what was there.
type Copy struct {
	Where   CopyPlace `json:"where"`
	Company string    `json:"company,omitempty"` // its name, with CopyCompany
	Fate    CopyFate  `json:"fate"`
}
