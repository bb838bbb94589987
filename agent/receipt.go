package agent

import (
	"crypto/ed25519"
	"fmt"

	"aval/agent/ipc"
	"aval/agent/record"
	"aval/assets"
)

// receipt makes the receipt of a decision that the peer may see, for windows:
// they verify nothing themselves.
func (a *Agent) receipt(p ipc.Peer, r ipc.ReceiptOf) (ipc.Receipt, error) {
	shown, err := a.showConsent(p, r.ID)
	if err != nil {
		return ipc.Receipt{}, err
	}
	if len(shown.Envelope) == 0 {
		return ipc.Receipt{}, &ipc.Error{Code: ipc.CodeFailed, Message: "the question of this session is still open", Hint: "there is a receipt once it has ended"}
	}
	records := [][]byte{shown.Envelope}
	for _, raw := range shown.Later {
		records = append(records, raw)
	}
	made, err := record.NewReceipt(a.key.Public().(ed25519.PublicKey), records...)
	if err != nil {
		return ipc.Receipt{}, fmt.Errorf("make receipt: %w", err)
	}
	// What the company's server says of readers is no part of the records: without
	// it the receipt is whole.
	if sum, err := a.summary(p, r.ID); err == nil {
		made = made.WithReads((*record.Reads)(sum.Reads))
	}
	raw, err := made.JSON()
	if err != nil {
		return ipc.Receipt{}, fmt.Errorf("make receipt: %w", err)
	}
	return ipc.Receipt{Page: made.Page(assets.For(r.Language)), JSON: raw}, nil
}
