package ingest

import "aval/agent/wire"

// Code is why something was not accepted: one word of a closed list.
type Code string

// The codes. Those that end a connection travel in wire.Refused, the others in
// wire.Reject.
const (
	CodeVersion       Code = "version"        // another version of the protocol
	CodeUnknownDevice Code = "unknown-device" // not enrolled here, or revoked
	CodeProof         Code = "proof"          // the key was not proved on this connection
	CodeProtocol      Code = "protocol"       // frames that do not belong here

	CodeMalformed     Code = "malformed"      // cannot be read, too long, or empty
	CodeUnknownKey    Code = "unknown-key"    // not a key of this device, or revoked
	CodeSignature     Code = "signature"      // the signature does not fit
	CodeBadGrant      Code = "bad-grant"      // a grant that no agent would make
	CodeBadAnswer     Code = "bad-answer"     // rests on an earlier answer that is not known here or does not cover it
	CodeOtherCompany  Code = "other-company"  // of another company
	CodeOtherDevice   Code = "other-device"   // of another device
	CodeOtherSession  Code = "other-session"  // of another session than its grant
	CodeUnknownPolicy Code = "unknown-policy" // rests on options that were never published
	CodeUnknownGrant  Code = "unknown-grant"  // a batch whose grant was not announced
	CodeNotCovered    Code = "not-covered"    // a kind or field outside the grant
	CodeBadEvent      Code = "bad-event"      // a kind or field that does not exist, or too long
	CodeOutsideGrant  Code = "outside-grant"  // an event before or after the grant's time
	CodeTooLate       Code = "too-late"       // more than 30 days after the event
	CodeSequence      Code = "sequence"       // does not follow what is stored
	CodeChain         Code = "chain"          // the hash of the previous batch is another
	CodeEquivocation  Code = "equivocation"   // the same number or id with other bytes
	CodeWithdrawn     Code = "withdrawn"      // the grant was withdrawn
	CodeErased        Code = "erased"         // the session was erased
	CodeBadRecord     Code = "bad-record"     // a record that no agent would make
	CodeServer        Code = "server"         // the server's own trouble: later it may work
)

// Codes lists all codes.
var Codes = []Code{CodeVersion, CodeUnknownDevice, CodeProof, CodeProtocol, CodeMalformed, CodeUnknownKey, CodeSignature, CodeBadGrant, CodeBadAnswer,
	CodeOtherCompany, CodeOtherDevice, CodeOtherSession, CodeUnknownPolicy, CodeUnknownGrant, CodeNotCovered, CodeBadEvent,
	CodeOutsideGrant, CodeTooLate, CodeSequence, CodeChain, CodeEquivocation, CodeWithdrawn, CodeErased, CodeBadRecord, CodeServer}

// Sentence is what a code means to the person who looks at an agent's status.
// It never holds anything that was sent.
func (c Code) Sentence() string { return sentences[c] }

var sentences = map[Code]string{
	CodeVersion:       "Agent and summarizer speak different versions; update the older one.",
	CodeUnknownDevice: "This computer is not enrolled with this summarizer, or its enrolment was revoked; enrol it again.",
	CodeProof: "The computer's key was not proved on this connection: something between computer and summarizer opens the TLS " +
		"connection. Let this address through unopened.",
	CodeProtocol:      "The agent sent something that does not belong there; update it.",
	CodeMalformed:     "Something that was sent cannot be read.",
	CodeUnknownKey:    "It is signed by a key that does not belong to this computer, or was revoked.",
	CodeSignature:     "Its signature does not fit.",
	CodeBadGrant:      "The grant is not valid.",
	CodeBadAnswer:     "The grant rests on an earlier answer that is not known here, was withdrawn, or does not cover it.",
	CodeOtherCompany:  "It belongs to another company.",
	CodeOtherDevice:   "It belongs to another computer.",
	CodeOtherSession:  "It belongs to another session than its grant.",
	CodeUnknownPolicy: "The grant rests on options that this summarizer has never published.",
	CodeUnknownGrant:  "The grant was not announced.",
	CodeNotCovered:    "The grant does not cover what was sent.",
	CodeBadEvent:      "An event is of a kind or has a field that does not exist.",
	CodeOutsideGrant:  "An event happened outside the time of its grant.",
	CodeTooLate:       "It arrived more than 30 days after it happened.",
	CodeSequence:      "It does not follow what is stored.",
	CodeChain:         "It does not follow the batch that is stored before it.",
	CodeEquivocation:  "Something else is stored under the same number.",
	CodeWithdrawn:     "The grant was withdrawn.",
	CodeErased:        "The session was erased.",
	CodeBadRecord:     "The record is not valid.",
	CodeServer:        "The summarizer has trouble of its own; it will be tried again.",
}

// retry tells whether the same thing may be accepted later.
func (c Code) retry() bool { return c == CodeServer || c == CodeSequence || c == CodeChain }

// refusal is a code on its way out of a transaction.
type refusal struct{ code Code }

func (r *refusal) Error() string { return string(r.code) }

func no(c Code) error { return &refusal{c} }

func reject(id string, first uint64, c Code) *wire.Frame {
	return &wire.Frame{Body: &wire.Frame_Reject{Reject: &wire.Reject{GrantId: id, FirstSeq: first, Code: string(c),
		Sentence: c.Sentence(), Retry: c.retry()}}}
}

func refused(c Code) *wire.Frame {
	return &wire.Frame{Body: &wire.Frame_Refused{Refused: &wire.Refused{Code: string(c), Sentence: c.Sentence(), Retry: c == CodeServer}}}
}
