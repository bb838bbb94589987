/*
 * bcryptprimitives.dll with the one function that Go's runtime asks for before main
 * (runtime/os_windows.go), for Wine 8, which has no such library. It is built by the
 * test, into the test's own prefix.
 */
#include <windows.h>

/* RtlGenRandom, by the name under which advapi32 exports it. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
	const ULONG most = 1 << 20;

	for (SIZE_T done = 0; done < size;) {
		ULONG part = size - done < most ? (ULONG)(size - done) : most;

		if (!SystemFunction036(data + done, part))
			return FALSE;
		done += part;
	}
	return TRUE;
}
