#ifndef GREYLAG_TESTS_PORT_H
#define GREYLAG_TESTS_PORT_H
/* A loopback port, free for TCP and UDP, that no other test takes as long as this process
 * lives, and that the system gives to no connection. What harness.py's free_port does. */
unsigned port_reserve(void);

#endif
