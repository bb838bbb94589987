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
