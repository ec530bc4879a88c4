/* SPDX-License-Identifier: MIT */
/* lwIP's options (its src/include/lwip/opt.h): no threads, IPv4, TCP as a server wants it. */
#ifndef HTTP_LWIP_LWIPOPTS_H
#define HTTP_LWIP_LWIPOPTS_H

#define NO_SYS			1
#define SYS_LIGHTWEIGHT_PROT	0
#define LWIP_NETCONN		0
#define LWIP_SOCKET		0
#define LWIP_STATS		0

#define MEM_ALIGNMENT		8
#define MEM_SIZE		(4 << 20)
#define MEMP_NUM_TCP_PCB	256
#define MEMP_NUM_TCP_SEG	2048
#define MEMP_NUM_PBUF		1024
#define PBUF_POOL_SIZE		1024
#define PBUF_POOL_BUFSIZE	2048

#define LWIP_DHCP		1
#define LWIP_ICMP		1
#define TCP_MSS			1460
#define TCP_WND			65535
#define TCP_SND_BUF		65535
#define TCP_SND_QUEUELEN	256
#define TCP_OVERSIZE		TCP_MSS
#define LWIP_TCP_KEEPALIVE	1

/* The backend sums what we send, and what we get is summed unless netif.c says otherwise. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF	1
#define LWIP_NETIF_STATUS_CALLBACK	1

#endif
