package consentview

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"aval/ui/win32"
)

var (
	procChoosePixels = win32.GDI32.NewProc("ChoosePixelFormat")
	procSetPixels    = win32.GDI32.NewProc("SetPixelFormat")
)

// pixelFormat is PIXELFORMATDESCRIPTOR (Microsoft Learn, wingdi.h).
type pixelFormat struct {
	size, version                        uint16
	flags                                uint32
	kind, colour                         byte
	_                                    [13]byte // single colours and the accumulation buffer
	depth, stencil, aux, layer, reserved byte
	layerMask, visibleMask, damageMask   uint32
}

// From wingdi.h and gl.h. Windows' own OpenGL, where there is no driver, is 1.1.
const (
	pfdDoubleBuffer, pfdDrawToWindow, pfdSupportOpenGL = 0x1, 0x4, 0x20
	glVersion                                          = 0x1F02
	needMajor, needMinor                               = 2, 1 // of the toolkit (fyne 2.8.1)
)

// haveOpenGL makes a window that is never shown and asks what draws in it: the
// toolkit would find out only once the question is fetched, and says nothing.
func haveOpenGL() error {
	no := func(what string, err error) error { return fmt.Errorf("%w: %s: %w", ErrNoOpenGL, what, err) }
	// The library that this program was loaded with, wherever it lies.
	gl := windows.NewLazyDLL("opengl32.dll")
	procs := map[string]*windows.LazyProc{}
	for _, name := range []string{"wglCreateContext", "wglDeleteContext", "wglMakeCurrent", "glGetString"} {
		procs[name] = gl.NewProc(name)
		if err := procs[name].Find(); err != nil {
			return no("look for it", err)
		}
	}
	class, err := windows.UTF16PtrFromString("STATIC")
	if err != nil {
		return no("make a window", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w, _, err := win32.CreateWindow.Call(0, uintptr(unsafe.Pointer(class)), 0, win32.StylePopup, 0, 0, 1, 1, 0, 0, 0, 0)
	if w == 0 {
		return no("make a window", err)
	}
	defer win32.DestroyWindow.Call(w)
	dc, release, err := win32.DC(w)
	if err != nil {
		return no("draw in a window", err)
	}
	defer release()
	format := pixelFormat{version: 1, flags: pfdDoubleBuffer | pfdDrawToWindow | pfdSupportOpenGL, colour: 24}
	format.size = uint16(unsafe.Sizeof(format))
	n, _, err := procChoosePixels.Call(dc, uintptr(unsafe.Pointer(&format)))
	if n == 0 {
		return no("choose pixels", err)
	}
	if ok, _, err := procSetPixels.Call(dc, n, uintptr(unsafe.Pointer(&format))); ok == 0 {
		return no("choose pixels", err)
	}
	context, _, err := procs["wglCreateContext"].Call(dc)
	if context == 0 {
		return no("make a context", err)
	}
	defer procs["wglDeleteContext"].Call(context)
	if ok, _, err := procs["wglMakeCurrent"].Call(dc, context); ok == 0 {
		return no("use a context", err)
	}
	defer procs["wglMakeCurrent"].Call(0, 0)
	text, _, err := procs["glGetString"].Call(glVersion)
	if text == 0 {
		return no("ask for its version", err)
	}
	if version := windows.BytePtrToString(*(**byte)(unsafe.Pointer(&text))); !enough(version) {
		return fmt.Errorf("%w: it is %q here", ErrNoOpenGL, version)
	}
	return nil
}

// enough tells whether a version ("4.6.0 - Build 31.0.101", gl.h: GL_VERSION begins
// with MAJOR.MINOR) is one that the toolkit can draw with.
func enough(version string) bool {
	number, _, _ := strings.Cut(version, " ")
	parts := strings.SplitN(number, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major > needMajor || major == needMajor && minor >= needMinor)
}
