package wire

// ModulePath is where a module's server says whether it still stands: one POST
// with a ModuleQuery as JSON over TLS 1.3, answered with a ModuleReply (200) or an
// EnrollError.
const ModulePath = "/module"

// ModuleQuery asks about a module. An id is no secret.
type ModuleQuery struct {
	ID string `json:"id"`
}

// ModuleReply is the server's word on a module that stands.
type ModuleReply struct {
	Company     string `json:"company"`      // id
	CompanyName string `json:"company_name"` // as it is now
	ServerKey   []byte `json:"server_key"`   // Ed25519
	Name        string `json:"name"`         // of the module
	// Asks: sessions by this module are asked about, as things are now.
	Asks bool `json:"asks"`
}

// The two steps by which a module opens a session of its own, without a code: each
// a POST with JSON over TLS 1.3, answered with an OpenReply or a RedeemReply (200),
// or an EnrollError.
const (
	OpenPath   = "/module/open"
	OpenedPath = "/module/wait"
)

// OpenLabel is the label of the TLS exporter that binds both proofs to their
// connections; its context is empty and its length 32. What is signed is
// EnrollPayload, with the module's id, or OpenedRequest.Token, in place of the token.
const OpenLabel = "EXPORTER-aval-open-proof"

// The codes of an EnrollError to OpenedRequest.
const (
	OpenWaiting = "opening-waiting" // nobody has taken it yet: ask again
	OpenSlower  = "opening-slower"  // ask less often
	OpenRefused = "opening-refused" // the support has turned it away
	OpenExpired = "opening-expired"
)

// OpenRequest asks for a session by a module, in which no code was entered.
type OpenRequest struct {
	Module       string `json:"module"`     // id
	PublicKey    []byte `json:"public_key"` // Ed25519, made for this session alone
	AgentVersion string `json:"agent_version"`
	Proof        []byte `json:"proof"`
}

// OpenReply says under what number the supporter sees it.
type OpenReply struct {
	ID        string `json:"id"`
	Number    string `json:"number"`     // six digits, to be read out
	ExpiresIn int    `json:"expires_in"` // seconds
	Interval  int    `json:"interval"`   // seconds between two questions
}

// OpenedRequest asks whether a supporter has taken it, or gives it up.
type OpenedRequest struct {
	ID        string `json:"id"`
	PublicKey []byte `json:"public_key"`
	GiveUp    bool   `json:"give_up,omitempty"`
	Proof     []byte `json:"proof"`
}

// Token is what stands in place of the token in what is signed: an id, and
// whether it is given up.
func (r OpenedRequest) Token() string {
	if r.GiveUp {
		return r.ID + " give up"
	}
	return r.ID
}

// NumberLen is the length of an opening's number.
const NumberLen = 6

// Number tells whether s is the number of an opening.
func Number(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == NumberLen
}
