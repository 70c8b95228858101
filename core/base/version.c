/* version: which Weir this is.
 *
 * The build passes it to this file alone, so that a new version compiles one file again. */
#include "base/version.h"

const char weir_version[] = WEIR_VERSION;
