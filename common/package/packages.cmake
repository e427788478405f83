# `cpack` in the build directory makes three Debian packages: xsale-bridge-producer (the xSale side: the only one that ever holds xSale's credentials),
# xsale-bridge-consumer (the ERP side and the operator's commands) and xsale-bridge-common (schemas, configuration, documents). Needs dpkg-dev; build with
# RelWithDebInfo, cpack strips.
set(package ${CMAKE_CURRENT_LIST_DIR})
set(made ${PROJECT_BINARY_DIR}/package)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME xsale-bridge)
# The same twice: else the first becomes the summary of every package.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_DEFAULT_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGE_CONTACT "xsale-bridge maintainers <maintainers@xsale-bridge.invalid>")
set(CPACK_PACKAGE_HOMEPAGE_URL https://xsale.ai)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENTS_ALL producer consumer common)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)

function(bridge_package component summary description)
  set(name xsale-bridge-${component})
  string(TOUPPER ${component} COMPONENT)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_COMPONENT_${COMPONENT}_DESCRIPTION "${summary}\n${description}" PARENT_SCOPE)
  set(scripts)
  foreach(script postinst prerm postrm)
    if(EXISTS ${package}/${component}.${script}.in)
      configure_file(${package}/${component}.${script}.in ${made}/${component}/${script} @ONLY FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
      list(APPEND scripts ${made}/${component}/${script})
    endif()
  endforeach()
  if(component STREQUAL common) # every file under /etc is the administrator's
    file(WRITE ${made}/common/conffiles "/etc/xsale-bridge/bridge.ini\n")
    list(APPEND scripts ${made}/common/conffiles)
  endif()
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_CONTROL_EXTRA "${scripts}" PARENT_SCOPE)
  configure_file(${package}/changelog.in ${made}/${component}/changelog @ONLY)
  add_custom_command(OUTPUT ${made}/${component}/changelog.gz COMMAND gzip -9nkf ${made}/${component}/changelog DEPENDS ${made}/${component}/changelog VERBATIM)
  add_custom_target(bridge_changelog_${component} ALL DEPENDS ${made}/${component}/changelog.gz)
  install(FILES ${made}/${component}/changelog.gz ${package}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
endfunction()

bridge_package(producer "orders from xSale to Kafka, and statuses back"
"xsale-producer polls xSale, a Polish platform for marketplaces and web shops,
for new orders and publishes them as Avro records to Kafka. status-updater sets
the orders' statuses once an ERP has loaded or refused them.
.
This is the only part of the bridge that needs credentials of xSale.")
bridge_package(consumer "orders from Kafka into an ERP, each of them once"
"erp-consumer loads the orders that xsale-producer published into an ERP, over
HTTP, SQL (ODBC) or as files, and publishes what became of each.
.
order-replay shows the life of every order, loads orders again after an outage
and finds what is missing.")
bridge_package(common "schemas, configuration and documents of xsale-bridge"
"What the programs of xsale-bridge share: the example configuration, the Avro
schemas that say where each field of an order comes from, tables and procedures
for ERP databases, manual pages and monitoring rules.")

set(CPACK_DEBIAN_PRODUCER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_CONSUMER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMMON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PRODUCER_PACKAGE_DEPENDS "xsale-bridge-common (>= ${PROJECT_VERSION}), ca-certificates, tzdata")
set(CPACK_DEBIAN_CONSUMER_PACKAGE_DEPENDS "xsale-bridge-common (>= ${PROJECT_VERSION}), ca-certificates")
set(CPACK_DEBIAN_CONSUMER_PACKAGE_SUGGESTS "odbc-postgresql, odbc-mariadb, libsqliteodbc, tdsodbc")

# Only in packages: `cmake --install` leaves the host's configuration alone.
install(FILES ${package}/bridge.ini DESTINATION /etc/xsale-bridge COMPONENT common EXCLUDE_FROM_ALL)
set(secret DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
foreach(place common: common:/kafka producer: producer:/xsale consumer: consumer:/erp)
  string(REGEX MATCH "^([a-z]+):(.*)$" matched ${place})
  install(DIRECTORY DESTINATION /etc/xsale-bridge/secrets${CMAKE_MATCH_2} COMPONENT ${CMAKE_MATCH_1} EXCLUDE_FROM_ALL ${secret})
endforeach()
include(CPack)
