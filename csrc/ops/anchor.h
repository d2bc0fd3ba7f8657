// A reference to this symbol keeps libsimba_ops.so among a program's needed libraries: without one
// the linker drops a library that is reached through torch's dispatcher alone.
#pragma once

extern "C" int simba_ops_anchor() noexcept;
