package company_test

import (
	"strings"
	"testing"

	"aval/agent/wire"
	"aval/summarizer/company"
)

// What computers send before anything is known of them is read strictly.
func FuzzDecodeRedeem(f *testing.F) {
	f.Add([]byte(`{"code":"7K3M-Q9TD","public_key":"` + strings.Repeat("A", 43) + `=","agent_version":"1","proof":"` + strings.Repeat("A", 86) + `=="}`))
	f.Add([]byte(`{"code":"7k3m-q9td"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := company.DecodeRedeem(raw)
		if err != nil {
			return
		}
		if code, err := wire.ParseSecret(r.Code); err != nil || code != r.Code || len(r.PublicKey) != 32 || len(r.Proof) != 64 {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzDecodeOpening is the same for modules that are opened, and for leaving.
// Planted: without the lengths in DecodeOpened a key of no bytes came through.
func FuzzDecodeOpening(f *testing.F) {
	key, proof := strings.Repeat("A", 43)+"=", strings.Repeat("A", 86)+"=="
	f.Add([]byte(`{"module":"01M","public_key":"` + key + `","agent_version":"1","proof":"` + proof + `"}`))
	f.Add([]byte(`{"id":"01M","public_key":"` + key + `","give_up":true,"proof":"` + proof + `"}`))
	f.Add([]byte(`{"device":"01M","public_key":"` + key + `","proof":"` + proof + `"}`))
	f.Add([]byte(`{"id":"01M","public_key":"","proof":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole := func(id string, key, proof []byte) {
			if id == "" || len(id) > 64 || len(key) != 32 || len(proof) != 64 {
				t.Fatalf("%q %d %d of %s", id, len(key), len(proof), raw)
			}
		}
		if q, err := company.DecodeOpen(raw); err == nil {
			whole(q.Module, q.PublicKey, q.Proof)
		}
		if q, err := company.DecodeOpened(raw); err == nil {
			whole(q.ID, q.PublicKey, q.Proof)
		}
		if q, err := company.DecodeLeave(raw); err == nil {
			whole(q.Device, q.PublicKey, q.Proof)
		}
	})
}
