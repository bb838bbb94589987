package agent_test

import (
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
)

// TestReceiptTellsTheWithdrawal: what the service shows of a grant makes a
// valid receipt, and after a withdrawal and a deletion the receipt says so.
func TestReceiptTellsTheWithdrawal(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	receipt := func() record.Receipt {
		t.Helper()
		s, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: "test/1"})
		must(t, err)
		records := [][]byte{s.Envelope}
		for _, raw := range s.Later {
			records = append(records, raw)
		}
		got, err := record.NewReceipt(c.HelloResult().DeviceKey, records...)
		must(t, err)
		raw, err := got.JSON()
		must(t, err)
		_, err = record.OpenReceipt(raw, c.HelloResult().DeviceKey)
		must(t, err)
		return got
	}
	if got := receipt(); got.Outcome() != consent.OutcomeAllowed || got.Basis() != consent.BasisConsent {
		t.Errorf("after the answer: %s, %s", got.Outcome(), got.Basis())
	}
	if follows, known := receipt().Follows(); !follows || !known {
		t.Error("the decision does not follow from the recorded facts")
	}
	_, err := call[ipc.WithdrawResult](r, p.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "stop"})
	must(t, err)
	if got := receipt(); got.Outcome() != consent.OutcomeWithdrawn {
		t.Errorf("after the withdrawal: %s", got.Outcome())
	}
	_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	_, err = call[ipc.WithdrawResult](r, c, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true})
	must(t, err)
	if got := receipt(); got.Outcome() != consent.OutcomeErased {
		t.Errorf("after the deletion: %s", got.Outcome())
	}
}
