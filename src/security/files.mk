# files.mk - what make needs to know about src/security; see the head of GNUmakefile
SRCS_security := crypto_lib.c scram.c
