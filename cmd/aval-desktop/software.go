package main

import (
	"log/slog"
	"sync/atomic"

	"aval/agent/prompt/launch"
)

// How aval-ui ends where it has found no OpenGL: EX_UNAVAILABLE of sysexits(3); or
// Windows does, where a library that it is linked with is not there or has not what it
// needs (ntstatus.h: STATUS_DLL_NOT_FOUND, STATUS_ENTRYPOINT_NOT_FOUND).
const (
	exitNoOpenGL      = 69
	statusDLLNotFound = 0xC0000135
	statusNoEntry     = 0xC0000139
)

// windowProgram is the program that has windows: as it is and, once that has found no
// OpenGL, its copy that draws by software, where there is one.
type windowProgram struct{ soft atomic.Bool }

// find is what to start.
func (w *windowProgram) find() (launch.Program, error) {
	if w.soft.Load() {
		path, err := launch.FindSoft("aval-ui")
		return launch.Program{Path: path, Env: []string{launch.Software}}, err
	}
	path, err := launch.Find("aval-ui")
	return launch.Program{Path: path}, err
}

// again tells, after the program has ended, whether the copy is to be tried: the once
// that there was no OpenGL for the first.
func (w *windowProgram) again(exit launch.Exit, log *slog.Logger) bool {
	if !noOpenGL(exit) || w.soft.Load() {
		return false
	}
	path, err := launch.FindSoft("aval-ui")
	if err != nil {
		return false
	}
	w.soft.Store(true)
	log.Warn("there is no OpenGL for windows here: they are drawn by software from now on", "program", path)
	return true
}

func noOpenGL(exit launch.Exit) bool {
	switch uint32(exit.Code) {
	case exitNoOpenGL, statusDLLNotFound, statusNoEntry:
		return true
	}
	return false
}
