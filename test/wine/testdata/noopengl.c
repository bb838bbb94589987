/* A library for OpenGL that gives none, as a computer without a driver has it; it
   writes down by which program it was loaded. For tests. */
#include <windows.h>
__declspec(dllexport) PROC WINAPI wglGetProcAddress(LPCSTR name) { return 0; }
BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID reserved) {
	char path[MAX_PATH + 2];
	DWORD n, done;
	HANDLE f;
	if (why != DLL_PROCESS_ATTACH) return TRUE;
	n = GetModuleFileNameA(0, path, MAX_PATH);
	path[n++] = '\n';
	f = CreateFileA("C:\\noopengl.txt", FILE_APPEND_DATA, 7, 0, OPEN_ALWAYS, 0, 0);
	if (f != INVALID_HANDLE_VALUE) { WriteFile(f, path, n, &done, 0); CloseHandle(f); }
	return TRUE;
}
