package main

import (
	"fmt"

	"github.com/jezek/xgb/xproto"

	"aval/agent/x11"
)

// hasGLX tells whether an X server offers OpenGL.
func hasGLX(display string) (bool, error) {
	c, err := x11.Dial(display)
	if err != nil {
		return false, err
	}
	defer c.Close()
	r, err := xproto.QueryExtension(c.X, 3, "GLX").Reply()
	if err != nil {
		return false, fmt.Errorf("ask the X server for GLX: %w", err)
	}
	return r.Present, nil
}
