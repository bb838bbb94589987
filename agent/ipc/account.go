package ipc

import (
	"context"
	"encoding/json"
	"time"
)

// SignIn signs the caller in to a user's account of a company.
type SignIn struct {
	Server string `json:"server"` // https://HOST[:PORT][#sha256:HEX]
}

// SignInCode is pushed to who signs in: the code that the user enters at URL.
type SignInCode struct {
	Code    string    `json:"code"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// SignInResult says to which account.
type SignInResult struct {
	Company string `json:"company"`
	User    string `json:"user"`
	Server  string `json:"server"`
	Device  string `json:"device"`
}

// Why nobody was signed in, beside WhyBad, WhyExpired, WhyTries, WhyServer,
// WhyDenied (by the company), WhyManaged (or somebody else is signed in) and
// WhyImpostor.
const WhySupporter = "supporter" // a remote session is open on the desktop

// SignIn signs the person in whose client this is: code is called once, with what
// they enter at the server, before it is waited for their approval. The end of ctx
// gives up. The connection is of no other use meanwhile, nor afterwards.
func (c *Client) SignIn(ctx context.Context, r SignIn, code func(SignInCode)) (SignInResult, error) {
	defer c.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		for p := range c.Pushes() {
			var s SignInCode
			if p.Name == PushSignIn && json.Unmarshal(p.Data, &s) == nil {
				code(s)
			}
		}
	}()
	var out SignInResult
	err := c.Call(ctx, MethodSignIn, r, &out)
	c.Close()
	<-over
	return out, err
}
